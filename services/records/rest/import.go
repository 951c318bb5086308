package rest

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/bulk"
)

// The pieces in which a file goes through the guard into the store: so many
// lines, or bytes when lines are long. A line may be as long as the longest
// that an export writes, which is a Binary that is still shown whole; a piece
// with one still is one message between processes.
const (
	pieceLines = 1000
	pieceBytes = 4 << 20
	maxLine    = 50 << 20
)

// pieceWait is how long the sender may take for one piece. The whole may take
// as long as it likes.
const pieceWait = 2 * time.Minute

// streamImport reads NDJSON of any length from the body. Each piece of it is
// an operation of its own behind the guard: a sender whose session ends is
// refused in the middle, and what was stored before stays.
func streamImport(f *Face) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := f.before(r.Context(), r)
		body, err := importBody(r)
		if err != nil {
			refuse(ctx, w, http.StatusUnsupportedMediaType, fault.Of(err).Message)
			return
		}
		control := http.NewResponseController(w)
		pieces, sum := newPieces(body), &recordsv1.ImportResponse{}
		for first := true; ; first = false {
			// Where the deadline cannot be moved, the server's own stays.
			_ = control.SetReadDeadline(time.Now().Add(pieceWait))
			req := &recordsv1.ImportRequest{First: pieces.next}
			// Who shows no token is refused by the guard before anything is read.
			if !first || r.Header.Get("Authorization") != "" {
				var long []int64
				if req.Lines, long, err = pieces.read(); err != nil {
					encodeError(ctx, partly(sum, err), w)
					return
				}
				addTo(sum, tooLong(long))
			}
			if len(req.GetLines()) == 0 && !first {
				break
			}
			resp, err := f.endpoints["Import"](ctx, req)
			if err != nil {
				encodeError(ctx, partly(sum, err), w)
				return
			}
			part, ok := resp.(*recordsv1.ImportResponse)
			if !ok {
				encodeError(ctx, errAnswer, w)
				return
			}
			addTo(sum, part)
		}
		// A client that left is no error.
		_ = write(ctx, w, http.StatusOK, importOutcome(sum))
	})
}

// importBody returns the body where it is NDJSON.
func importBody(r *http.Request) (io.Reader, error) {
	ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(ct)) {
	case bulk.NDJSON, "application/ndjson", "application/x-ndjson":
	default:
		return nil, fault.New(fault.Invalid, "$import reads Content-Type "+bulk.NDJSON, nil)
	}
	return r.Body, nil
}

// pieces cuts a stream into pieces of whole lines.
type pieces struct {
	from *bufio.Reader
	next int64 // the number of the next line
	err  error
}

func newPieces(from io.Reader) *pieces {
	return &pieces{from: bufio.NewReaderSize(from, 64<<10), next: 1}
}

// read returns the next piece, nothing at the end, and the numbers of lines
// that are too long: those are left out, and the lines around them are not. A
// piece is not used again.
func (p *pieces) read() (out []byte, long []int64, err error) {
	for n := 0; n < pieceLines && len(out) < pieceBytes && p.err == nil; n++ {
		begun, size := len(out), 0
		for more := true; more; {
			var part []byte
			part, p.err = p.from.ReadSlice('\n')
			if p.next == 1 && size == 0 {
				// Some systems begin a file with a byte order mark (RFC 8259 section 8.1).
				part = bytes.TrimPrefix(part, []byte("\ufeff"))
			}
			if size += len(part); size <= maxLine {
				out = append(out, part...)
			}
			more = errors.Is(p.err, bufio.ErrBufferFull)
		}
		if size > maxLine {
			long = append(long, p.next)
			out = append(out[:begun], '\n') // the lines after it keep their numbers
		}
		if size > 0 {
			p.next++
		}
	}
	if p.err != nil && !errors.Is(p.err, io.EOF) {
		return nil, nil, fault.New(fault.Invalid, "the body ended before its time, or is no gzip", p.err)
	}
	return out, long, nil
}

// tooLong is what becomes of lines that are longer than maxLine.
func tooLong(lines []int64) *recordsv1.ImportResponse {
	x := &recordsv1.ImportResponse{Failed: int64(len(lines))}
	for _, n := range lines {
		x.Errors = append(x.Errors, &recordsv1.ImportError{
			Line: n, Class: fault.TooLarge.String(), Message: fmt.Sprintf("the line is longer than %d bytes", maxLine),
		})
	}
	return x
}

func addTo(sum, part *recordsv1.ImportResponse) {
	sum.Created += part.GetCreated()
	sum.Updated += part.GetUpdated()
	sum.Unchanged += part.GetUnchanged()
	sum.Failed += part.GetFailed()
	sum.Errors = append(sum.Errors, part.GetErrors()...)
	sum.Errors = sum.Errors[:min(len(sum.Errors), bulk.MaxErrors)]
}

// partly says in an error how far the file got: those lines are stored.
func partly(sum *recordsv1.ImportResponse, err error) error {
	f := fault.Of(err)
	done := sum.GetCreated() + sum.GetUpdated() + sum.GetUnchanged() + sum.GetFailed()
	if done == 0 {
		return f
	}
	g := fault.New(f.Class, fmt.Sprintf("%s; %d lines before were dealt with; sending them again changes nothing", f.Message, done), err)
	g.At = f.At
	return g
}

// importOutcome is the answer: the counts, and why lines failed.
func importOutcome(sum *recordsv1.ImportResponse) []byte {
	count := func(name string, n int64) string {
		return `{"name":"` + name + `","valueInteger":` + strconv.FormatInt(n, 10) + `},`
	}
	slices.SortStableFunc(sum.GetErrors(), func(a, b *recordsv1.ImportError) int { return cmp.Compare(a.GetLine(), b.GetLine()) })
	issues := []fhir.Issue{{Severity: "information", Code: "informational", Diagnostics: fmt.Sprintf("%d lines failed", sum.GetFailed())}}
	for _, e := range sum.GetErrors() {
		issues = append(issues, fhir.Issue{
			Severity: "error", Code: issueNamed(e.GetClass()),
			Diagnostics: fmt.Sprintf("line %d: %s", e.GetLine(), e.GetMessage()), Expression: e.GetAt(),
		})
	}
	return []byte(`{"resourceType":"Parameters","parameter":[` +
		count("created", sum.GetCreated()) + count("updated", sum.GetUpdated()) +
		count("unchanged", sum.GetUnchanged()) + count("failed", sum.GetFailed()) +
		`{"name":"outcome","resource":` + string(fhir.Outcome(issues...)) + `}]}`)
}

func issueNamed(class string) string {
	for c, code := range fhir.IssueOf {
		if c.String() == class {
			return code
		}
	}
	return fhir.IssueOf[fault.Internal]
}
