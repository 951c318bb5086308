package openid

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/services/access/account"
)

const signinPath = "/signin"

func (p *Provider) signinRoutes(mux *http.ServeMux) {
	// Forms of other sites are refused by Sec-Fetch-Site or Origin, so that
	// nobody is signed in to a stranger's account without knowing.
	own := http.NewCrossOriginProtection()
	handle := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, own.Handler(limitBody(h))) }
	handle("GET "+signinPath, p.signinPage)
	handle("POST "+signinPath, p.signin)
	handle("GET "+signinPath+"/activate", p.activatePage)
	handle("POST "+signinPath+"/activate", p.activate)
	handle("GET "+signinPath+"/out", p.signOutPage)
	handle("POST "+signinPath+"/out", p.signOut)
	mux.HandleFunc("GET "+signinPath+"/style.css", p.stylesheet)
}

// request finds the authorization request of a page, or shows that it has expired.
func (p *Provider) request(w http.ResponseWriter, r *http.Request) *Request {
	req, err := p.store.Request(r.Context(), r.FormValue("request"), p.now())
	if err == nil {
		return req
	}
	lang := langOf(r, nil)
	t := catalogue[lang]
	if !fault.Is(err, fault.NotFound) {
		p.log.Error("sign-in", "error", err)
		p.show(w, r, http.StatusServiceUnavailable, view{Lang: lang, Title: t.SignIn, Problem: t.Failed})
		return nil
	}
	p.show(w, r, http.StatusNotFound, view{Lang: lang, Title: t.Expired, Lead: t.ExpiredLead})
	return nil
}

// signinPage shows the form, or goes on at once when the browser has a
// session: that is how the second app of a nurse, and a reload, need no password.
func (p *Provider) signinPage(w http.ResponseWriter, r *http.Request) {
	req := p.request(w, r)
	if req == nil {
		return
	}
	if s, ok := p.session(r); ok && !req.Login && fresh(s, req.MaxAge, p.now()) {
		p.goOn(w, r, req, s)
		return
	}
	if req.None {
		op.AuthRequestError(w, p.withIssuer(r), req, oidc.ErrLoginRequired(), p.op)
		return
	}
	lang := langOf(r, req)
	p.show(w, r, http.StatusOK, view{Lang: lang, Title: catalogue[lang].SignIn, Form: "signin", Request: req.ID, Username: req.LoginHint})
}

func (p *Provider) withIssuer(r *http.Request) *http.Request {
	return r.WithContext(op.ContextWithIssuer(r.Context(), p.issuer))
}

func fresh(s Session, maxAge *uint, now time.Time) bool {
	return maxAge == nil || now.Sub(s.Started) <= time.Duration(*maxAge)*time.Second
}

func (p *Provider) signin(w http.ResponseWriter, r *http.Request) {
	req := p.request(w, r)
	if req == nil {
		return
	}
	username := r.PostFormValue("username")
	a, err := p.door.Enter(r.Context(), username, r.PostFormValue("password"), p.address(r))
	if err != nil {
		p.refuse(w, r, req, "signin", username, err)
		return
	}
	p.begin(w, r, req, a, "pwd")
}

func (p *Provider) activatePage(w http.ResponseWriter, r *http.Request) {
	req := p.request(w, r)
	if req == nil {
		return
	}
	lang := langOf(r, req)
	t := catalogue[lang]
	p.show(w, r, http.StatusOK, view{Lang: lang, Title: t.Activate, Lead: t.ActivateLead, Form: "activate", Request: req.ID})
}

func (p *Provider) activate(w http.ResponseWriter, r *http.Request) {
	req := p.request(w, r)
	if req == nil {
		return
	}
	username, password := r.PostFormValue("username"), r.PostFormValue("password")
	if password != r.PostFormValue("again") {
		p.refuse(w, r, req, "activate", username, errDiffer)
		return
	}
	a, err := p.door.Activate(r.Context(), username, r.PostFormValue("code"), password, p.address(r))
	if err != nil {
		p.refuse(w, r, req, "activate", username, err)
		return
	}
	p.begin(w, r, req, a, "otp")
}

var errDiffer = fault.New(fault.Invalid, "the two passwords are not the same", nil)

// refuse shows the form again with what went wrong.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, req *Request, form, username string, err error) {
	lang := langOf(r, req)
	t := catalogue[lang]
	v := view{Lang: lang, Title: t.SignIn, Form: form, Request: req.ID, Username: username}
	if form == "activate" {
		v.Title, v.Lead = t.Activate, t.ActivateLead
	}
	status := http.StatusUnprocessableEntity
	f := fault.Of(err)
	switch {
	case errors.Is(err, errDiffer):
		v.Problem = t.Differ
	case f.Class == fault.Unauthenticated && form == "activate":
		v.Problem, status = t.WrongCode, http.StatusUnauthorized
	case f.Class == fault.Unauthenticated:
		v.Problem, status = t.Wrong, http.StatusUnauthorized
	case f.Class == fault.Limited:
		v.Problem, status = t.Failed, http.StatusTooManyRequests
		if l, ok := errors.AsType[*account.LimitedError](err); ok {
			v.Problem = t.waitText(l.Wait)
		}
	case f.Class == fault.Invalid:
		v.Problem = t.passwordProblem(r.PostFormValue("password"))
	default:
		p.log.Error("sign-in", "error", err)
		v.Problem, status = t.Failed, http.StatusServiceUnavailable
	}
	if f.Class == fault.Unauthenticated || f.Class == fault.Limited {
		// The name typed may be a password in the wrong field; it is not kept.
		p.note(r.Context(), "access.SignIn", account.Account{}, "denied", f.Class.String())
	}
	p.show(w, r, status, v)
}

func (t texts) passwordProblem(password string) string {
	switch n := utf8.RuneCountInString(password); {
	case n < 8:
		return t.TooShort
	case n > 128:
		return t.TooLong
	}
	return t.TooEasy
}

// How long a session lasts. Staff work on shared PCs; a patient's phone is
// her own, and a sign-in lost is a record unread.
const (
	staffSession  = 12 * time.Hour
	personSession = 30 * 24 * time.Hour
)

// begin starts a session in this browser and goes on with the request.
func (p *Provider) begin(w http.ResponseWriter, r *http.Request, req *Request, a account.Account, method string) {
	now := p.now()
	own := !slices.ContainsFunc(a.Roles, func(role string) bool { return role != "patient" && role != "guardian" })
	s := Session{ID: account.NewID(), Account: a.ID, Method: method, Started: now, Expires: now.Add(staffSession)}
	if own {
		s.Expires = now.Add(personSession)
	}
	secret, hash := newSecret()
	// A fresh cookie for each sign-in; the browser's former session ends.
	if old, ok := p.session(r); ok {
		if err := p.store.EndSession(r.Context(), old.ID, "signed in anew", now); err != nil {
			p.refuse(w, r, req, "signin", "", err)
			return
		}
		p.ended()
	}
	if err := p.store.AddSession(r.Context(), s, hash); err != nil {
		p.refuse(w, r, req, "signin", "", err)
		return
	}
	c := p.cookie(secret) //nolint:gosec // cookie sets Secure everywhere but on this machine alone
	if own {
		c.Expires = s.Expires
	}
	http.SetCookie(w, c)
	p.note(r.Context(), "access.SignIn", a, "ok", "")
	p.goOn(w, r, req, s)
}

// goOn answers the request with a session and sends the browser to the app.
func (p *Provider) goOn(w http.ResponseWriter, r *http.Request, req *Request, s Session) {
	if err := p.store.FinishRequest(r.Context(), req.ID, s.ID); err != nil {
		lang := langOf(r, req)
		p.show(w, r, http.StatusNotFound, view{Lang: lang, Title: catalogue[lang].Expired, Lead: catalogue[lang].ExpiredLead})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/oauth/authorize/callback?id="+req.ID, http.StatusSeeOther) //nolint:gosec // a path of ours; the id is one we gave
}

// ownRequest gives the code of a request only to the browser whose session
// answered it. Else somebody could begin a request, lead a person to its
// sign-in page, and fetch the code of that person's session with the request's
// id (RFC 9700 section 4.7 on what binds a flow to a browser).
func (p *Provider) ownRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := p.store.Request(r.Context(), r.FormValue("id"), p.now())
		if err == nil {
			if s, ok := p.session(r); ok && req.Answer != nil && req.Answer.Session.ID == s.ID {
				next.ServeHTTP(w, r)
				return
			}
		} else if !fault.Is(err, fault.NotFound) {
			p.log.Error("sign-in", "error", err)
		}
		lang := langOf(r, nil)
		p.show(w, r, http.StatusNotFound, view{Lang: lang, Title: catalogue[lang].Expired, Lead: catalogue[lang].ExpiredLead})
	})
}

// cookie is the session's: for this host only, out of reach of scripts, and
// sent when a link leads here but not with other sites' forms.
func (p *Provider) cookie(value string) *http.Cookie {
	c := &http.Cookie{Name: "yba-session", Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if !p.loopback {
		c.Name, c.Secure = "__Host-yba-session", true
	}
	return c
}

func (p *Provider) session(r *http.Request) (Session, bool) {
	c, err := r.Cookie(p.cookie("").Name)
	if err != nil {
		return Session{}, false
	}
	s, _, err := p.store.SessionByCookie(r.Context(), hashOf(c.Value), p.now())
	if err != nil {
		if !fault.Is(err, fault.NotFound) {
			p.log.Error("sign-in session", "error", err)
		}
		return Session{}, false
	}
	return s, true
}

// signOutPage asks before it ends a session, or says that there is none.
func (p *Provider) signOutPage(w http.ResponseWriter, r *http.Request) {
	lang := langOf(r, nil)
	t := catalogue[lang]
	if _, ok := p.session(r); ok {
		p.show(w, r, http.StatusOK, view{Lang: lang, Title: t.SignOut, Lead: t.SignOutLead, Form: "out"})
		return
	}
	p.show(w, r, http.StatusOK, view{Lang: lang, Title: t.SignedOut, Lead: t.SignedOutLead})
}

func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) {
	if s, ok := p.session(r); ok {
		if err := p.store.EndSession(r.Context(), s.ID, "signed out", p.now()); err != nil {
			lang := langOf(r, nil)
			p.log.Error("sign-out", "error", err)
			p.show(w, r, http.StatusServiceUnavailable, view{Lang: lang, Title: catalogue[lang].SignOut, Problem: catalogue[lang].Failed, Form: "out"})
			return
		}
		p.ended()
		p.noteAccount(r.Context(), "access.SignOut", s.Account)
	}
	gone := p.cookie("") //nolint:gosec // cookie sets Secure everywhere but on this machine alone
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, signinPath+"/out?lang="+langOf(r, nil), http.StatusSeeOther) //nolint:gosec // a path of ours; langOf knows two languages
}

func (p *Provider) noteAccount(ctx context.Context, operation, id string) {
	a, err := p.store.Account(ctx, id)
	if err != nil {
		a = account.Account{ID: id}
	}
	p.note(ctx, operation, a, "ok", "")
}

// address is the browser's, for slowing guessers down. Where the edge is
// another process, it hands the address over in X-Forwarded-For, whose last
// entry is the one that the edge wrote; else anybody could write it.
func (p *Provider) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !p.behindEdge {
		return host
	}
	values := r.Header.Values("X-Forwarded-For")
	if len(values) == 0 {
		return host
	}
	parts := strings.Split(values[len(values)-1], ",")
	if forwarded := net.ParseIP(strings.TrimSpace(parts[len(parts)-1])); forwarded != nil {
		return forwarded.String()
	}
	return host
}
