package records

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// cursorOf returns the cursor in a link.
func cursorOf(t testing.TB, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || !u.Query().Has("_cursor") {
		t.Fatalf("no cursor in %q: %v", link, err)
	}
	return u.Query().Get("_cursor")
}

// TestLinksToTheNextPageHoldNoNamesAndNoNumbers also follows them in another
// process, and takes each to where it does not belong.
func TestLinksToTheNextPageHoldNoNamesAndNoNumbers(t *testing.T) {
	i := install(t)
	r, other, ctx := i.start(t), i.start(t), all(t.Context())
	patient := ""
	for n, family := range []string{"Nguyễn", "Trần", "Võ"} {
		p := create(ctx, t, r, "Patient", person(family, "Hoa", string(rune('1'+n)), "95012", "1950-01-02"))
		patient = p.GetId()
	}
	create(ctx, t, r, "Observation", observation(patient, "1", "2026", "1"))
	search := func(at *Records, query string) (string, error) {
		b, err := at.Search(ctx, &recordsv1.SearchRequest{Type: "Patient", Query: query})
		if err != nil {
			return "", err
		}
		return bundle(t, b.GetBody()).next, nil
	}
	history := func(at *Records, typ, query string) (string, error) {
		b, err := at.History(ctx, &recordsv1.HistoryRequest{Type: typ, Query: query})
		if err != nil {
			return "", err
		}
		return bundle(t, b.GetBody()).next, nil
	}
	everything := func(at *Records, query string) (string, error) {
		b, err := at.Everything(ctx, &recordsv1.EverythingRequest{Patient: patient, Query: query})
		if err != nil {
			return "", err
		}
		return bundle(t, b.GetBody()).next, nil
	}
	lists := map[string]func(at *Records, query string) (string, error){
		"by name":    func(at *Records, query string) (string, error) { return search(at, "_sort=family&_count=1"+query) },
		"by birth":   func(at *Records, query string) (string, error) { return search(at, "_sort=birthdate&_count=1"+query) },
		"history":    func(at *Records, query string) (string, error) { return history(at, "Patient", "_count=1"+query) },
		"whole log":  func(at *Records, query string) (string, error) { return history(at, "", "_count=1"+query) },
		"everything": func(at *Records, query string) (string, error) { return everything(at, "_count=1"+query) },
	}
	cursors := map[string]string{}
	for name, list := range lists {
		next, err := list(r, "")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c := cursorOf(t, next)
		plain, err := base64.RawURLEncoding.DecodeString(c)
		if err != nil || len(plain) < 8+28 || strings.Contains(string(plain), "nguyen") {
			t.Errorf("%s: the cursor holds %q", name, plain)
		}
		cursors[name] = c
		if _, err := list(other, "&_cursor="+c); err != nil {
			t.Errorf("%s: another process does not follow the link: %v", name, err)
		}
	}
	for from, c := range cursors {
		for to, list := range lists {
			if _, err := list(r, "&_cursor="+c); from != to && !fault.Is(err, fault.Invalid) {
				t.Errorf("the cursor of %s is taken by %s: %v", from, to, err)
			}
		}
	}
}
