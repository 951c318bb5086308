package openid

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"net/url"

	"golang.org/x/text/language"
)

//go:embed pages
var pageFiles embed.FS

// pages renders the sign-in pages.
type pages struct {
	page  *template.Template
	style []byte
}

func newPages() (*pages, error) {
	t, err := template.ParseFS(pageFiles, "pages/page.html")
	if err != nil {
		return nil, err
	}
	css, err := pageFiles.ReadFile("pages/style.css")
	return &pages{t, css}, err
}

// view is what a page shows.
type view struct {
	Lang    string
	Title   string
	Lead    string
	Problem string
	// Form is signin, activate, out, or empty for the list of apps.
	Form      string
	Request   string
	Username  string
	T         texts
	OtherLang otherLang
}

type otherLang struct{ Code, Name, URL string }

// csp allows nothing but the style sheet and posting the form back to us.
const csp = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (p *Provider) show(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.T = catalogue[v.Lang]
	other := otherLang{Code: "en", Name: "English"}
	if v.Lang == "en" {
		other = otherLang{Code: "vi", Name: "Tiếng Việt"}
	}
	q := url.Values{"lang": {other.Code}}
	if v.Request != "" {
		q.Set("request", v.Request)
	}
	other.URL = r.URL.Path + "?" + q.Encode()
	v.OtherLang = other
	var b bytes.Buffer
	if err := p.pages.page.Execute(&b, v); err != nil {
		p.log.Error("sign-in page", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: browsers without Sec-Fetch-Site would then send a null
	// Origin with the form, and the form be refused as foreign.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that left is no error
}

func (p *Provider) stylesheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(p.pages.style)
}

var languages = language.NewMatcher([]language.Tag{language.Vietnamese, language.English})

// langOf is the page's language: chosen on the page, asked for by the app,
// else Vietnamese; a browser set to English alone does not make a resident
// speak it.
func langOf(r *http.Request, req *Request) string {
	if l := r.FormValue("lang"); l == "vi" || l == "en" {
		return l
	}
	if req != nil && len(req.Locales) > 0 {
		_, i := language.MatchStrings(languages, req.Locales...)
		if i == 1 {
			return "en"
		}
	}
	return "vi"
}
