package fhirclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// serve starts a server with one handler and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc, change func(*Options)) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o := Options{Base: s.URL, Backoff: time.Millisecond}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestBusyAnswersAreTriedAgainAndOthersAreNot(t *testing.T) {
	for _, c := range []struct {
		status    int
		wantCalls int32
		class     fault.Class
	}{
		{http.StatusTooManyRequests, 3, fault.Limited},
		{http.StatusServiceUnavailable, 3, fault.Unavailable},
		{http.StatusInternalServerError, 1, fault.Internal},
		{http.StatusConflict, 1, fault.Conflict},
		{http.StatusUnprocessableEntity, 1, fault.Unprocessable},
		{http.StatusForbidden, 1, fault.Forbidden},
	} {
		var calls atomic.Int32
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.WriteHeader(c.status)
		}, func(o *Options) { o.Attempts = 3 })
		_, err := client.Transaction(t.Context(), []byte(`{}`))
		if !fault.Is(err, c.class) || calls.Load() != c.wantCalls {
			t.Errorf("status %d: %d calls and %v, want %d and %v", c.status, calls.Load(), err, c.wantCalls, c.class)
		}
		if FateUnknown(err) {
			t.Errorf("status %d: the server answered, so the fate is known", c.status)
		}
	}
}

func TestABusyServerIsTriedUntilItAnswers(t *testing.T) {
	var calls atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != `{"a":1}` {
			t.Errorf("attempt %d carries %q", calls.Load(), body)
		}
		if calls.Add(1) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Location", "http://elsewhere/fhir/R4/Patient/7/_history/2")
		w.WriteHeader(http.StatusCreated)
	}, nil)
	got, err := c.Create(t.Context(), "Patient", []byte(`{"a":1}`))
	if err != nil || got != (Saved{"Patient", "7", "2"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRefusedConnectionsAreTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Base: "http://" + address, Attempts: 2, Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Transaction(t.Context(), []byte(`{}`))
	if !fault.Is(err, fault.Unavailable) || FateUnknown(err) {
		t.Errorf("got %v; nothing can have reached a closed port", err)
	}
}

// hangUp ends the connection without an answer after the request was read.
func hangUp(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

func TestALostAnswerToAPostIsNotSentAgainButAGetIs(t *testing.T) {
	var calls atomic.Int32
	h := func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			hangUp(w, r)
		}
		fmt.Fprint(w, `{"resourceType":"Patient"}`)
	}
	c := serve(t, h, nil)
	if _, err := c.Transaction(t.Context(), []byte(`{}`)); !FateUnknown(err) || calls.Load() != 1 {
		t.Errorf("%d calls, %v; want one call and an unknown fate", calls.Load(), err)
	}
	calls.Store(0)
	if b, err := c.Read(t.Context(), "Patient", "1"); err != nil || len(b) == 0 || calls.Load() != 2 {
		t.Errorf("read after a lost answer: %d calls, %v", calls.Load(), err)
	}
}

func TestTheTokenIsRenewedOnceWhenItHasExpired(t *testing.T) {
	var given atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{}`)
	}, func(o *Options) {
		o.Token = func() (string, error) { return fmt.Sprintf("t%d", given.Add(1)), nil }
	})
	if _, err := c.Read(t.Context(), "Patient", "1"); err != nil || given.Load() != 2 {
		t.Errorf("%v after %d tokens", err, given.Load())
	}
	never := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		func(o *Options) { o.Token = func() (string, error) { return "x", nil } })
	if _, err := never.Read(t.Context(), "Patient", "1"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a token that is never accepted: %v", err)
	}
}

func TestAnOperationOutcomeNamesTheEntry(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"resourceType":"OperationOutcome","issue":[
			{"severity":"warning","code":"value","diagnostics":"only a warning"},
			{"severity":"error","code":"value","diagnostics":"not a date","expression":["Bundle.entry[12].resource.birthDate"]}]}`)
	}, nil)
	_, err := c.Transaction(t.Context(), []byte(`{}`))
	f := fault.Of(err)
	if f.Class != fault.Invalid || f.Message != "not a date" || EntryOf(err) != 12 {
		t.Errorf("got %v, entry %d", err, EntryOf(err))
	}
	if n := EntryOf(errors.New("x")); n != -1 {
		t.Errorf("an error without a place is said to be of entry %d", n)
	}
}

func TestSearchReadsAllPagesFromTheBaseOnly(t *testing.T) {
	var hosts []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
		if r.URL.Path != "/fhir/R4/Patient" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		page := r.URL.Query().Get("page")
		next := map[string]string{"": "https://evil.example/fhir/R4/Patient?page=2", "2": "/fhir/R4/Patient?page=3"}[page]
		links := `[{"relation":"self","url":"x"}]`
		if next != "" {
			links = `[{"relation":"next","url":"` + next + `"}]`
		}
		fmt.Fprintf(w, `{"resourceType":"Bundle","type":"searchset","link":%s,"entry":[{"resource":{"id":"a%s"}},{"resource":{"id":"b%s"}}]}`, links, page, page)
	}, nil)
	var ids []string
	for r, err := range c.Search(t.Context(), "Patient", url.Values{"name": {"Hoà"}}) {
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ ID string }
		if err := json.Unmarshal(r, &v); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	if got := strings.Join(ids, " "); got != "a b a2 b2 a3 b3" {
		t.Errorf("got %s", got)
	}
	for _, h := range hosts {
		if strings.Contains(h, "evil") {
			t.Errorf("a page was asked of %s", h)
		}
	}
}

func TestAPageThatLeadsToItselfIsAnErrorAndNoEndlessLoop(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"resourceType":"Bundle","link":[{"relation":"next","url":"%s"}],"entry":[]}`, r.URL.String())
	}, nil)
	for _, err := range c.Search(t.Context(), "Patient", nil) {
		if err != nil {
			return
		}
	}
	t.Error("the search ended without an error")
}

func TestRedirectsAreNotFollowedWithTheToken(t *testing.T) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer other.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}, nil)
	if _, err := c.Read(t.Context(), "Patient", "1"); err == nil || reached.Load() {
		t.Errorf("redirect: %v, other server reached: %v", err, reached.Load())
	}
}

func TestCallCarriesMessagesAndErrors(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/api/stations/v1/ListUnits" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %s", r.URL.Path, r.Header.Get("Content-Type"))
		}
		if strings.Contains(string(body), "hamlet") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"class":"forbidden","message":"not yours","at":"level"}}`)
			return
		}
		fmt.Fprint(w, `{"units":[{"code":"99","name":"Tỉnh Sông Hiền"}],"unknownField":1}`)
	}, nil)
	got, err := Call[stationsv1.ListUnitsResponse](t.Context(), c, "stations.ListUnits", &stationsv1.ListUnitsRequest{Level: "province"})
	if err != nil || len(got.GetUnits()) != 1 || got.GetUnits()[0].GetName() != "Tỉnh Sông Hiền" {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = Call[stationsv1.ListUnitsResponse](t.Context(), c, "stations.ListUnits", &stationsv1.ListUnitsRequest{Level: "hamlet"})
	if f := fault.Of(err); f.Class != fault.Forbidden || f.Message != "not yours" || f.At != "level" {
		t.Errorf("got %v", err)
	}
}

func TestUpdateSendsIfMatchAndReadsTheVersion(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || r.Header.Get("If-Match") != `W/"4"` {
			t.Errorf("%s with If-Match %q", r.Method, r.Header.Get("If-Match"))
		}
		w.Header().Set("ETag", `W/"5"`)
	}, nil)
	if got, err := c.Update(t.Context(), "Patient", "1", []byte(`{}`), "4"); err != nil || got.Version != "5" {
		t.Errorf("got %+v, %v", got, err)
	}
}
