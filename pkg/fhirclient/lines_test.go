package fhirclient

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/yba-health/yba/pkg/fault"
)

// TestALostPieceIsSentAgainOnlyWhereThatIsHarmless hangs up at the first try.
func TestALostPieceIsSentAgainOnlyWhereThatIsHarmless(t *testing.T) {
	for body, want := range map[string]int{
		"{\"resourceType\":\"A\",\"id\":\"1\"}\n": 2,
		"{\"resourceType\":\"A\"}\n":              1,
	} {
		var posts atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if posts.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, `{"resourceType":"Parameters","parameter":[{"name":"created","valueInteger":1},{"name":"outcome","resource":{"resourceType":"OperationOutcome","issue":[]}}]}`)
		}))
		c, err := New(Options{Base: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "journal")
		for run := range 2 {
			j, err := OpenJournal(path, false)
			if err != nil {
				t.Fatal(err)
			}
			l := Load{Client: c, Journal: j}
			sum, err := l.Run(t.Context(), Pieces("f", strings.NewReader(body), false))
			if err != nil {
				t.Fatal(err)
			}
			ok := len(sum.Failed) == 1 && fault.Is(sum.Failed[0].Err, fault.Conflict)
			if want == 2 {
				ok = run == 0 && sum.Resources == 1 || run == 1 && sum.Skipped == 1
			}
			if !ok {
				t.Errorf("%s run %d: %+v", body, run, sum)
			}
			_ = j.Close()
		}
		if int(posts.Load()) != want {
			t.Errorf("%s was sent %d times", body, posts.Load())
		}
		c.Close()
		s.Close()
	}
}

func TestFailedLinesAreNamedByTheirPlaceInTheFile(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"resourceType":"Parameters","parameter":[{"name":"created","valueInteger":2},{"name":"failed","valueInteger":1},{"name":"outcome","resource":{"resourceType":"OperationOutcome",
			"issue":[{"severity":"error","diagnostics":"line 3: no","expression":["A.b"]}]}}]}`)
	}))
	defer s.Close()
	c, err := New(Options{Base: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := Load{Client: c}
	sum, err := l.Run(t.Context(), Pieces("f", strings.NewReader("1\n2\n3"), false))
	if err != nil || len(sum.Failed) != 1 || sum.Failed[0].Name != "f:1" || !strings.Contains(sum.Failed[0].Err.Error(), "line 3: no") {
		t.Errorf("%v %+v", err, sum)
	}
}

func TestPiecesHoldTheWholeFileInWholeLines(t *testing.T) {
	var file, got bytes.Buffer
	for i := range 2*pieceLines + 5 {
		fmt.Fprintf(&file, "line %d\n", i)
	}
	file.WriteString("the last")
	whole := file.String()
	next := 1
	for b, err := range Pieces("f", &file, true) {
		if err != nil || b.Line != next || !b.First {
			t.Fatalf("%v: line %d, want %d", err, b.Line, next)
		}
		next += bytes.Count(b.Body, []byte("\n"))
		got.Write(b.Body)
	}
	if got.String() != whole {
		t.Error("the pieces are not the file")
	}
}
