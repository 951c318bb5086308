package fhirclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
)

// LinesType is the media type of NDJSON (R4 nd-json.html).
const LinesType = "application/fhir+ndjson"

// Imported is what became of the lines of an NDJSON file.
type Imported struct {
	Created, Updated, Unchanged, Failed int
	// Reasons say why lines failed; the server names only the first hundred.
	Reasons []error
}

// Import sends NDJSON to $import, which stores each line by itself.
func (c *Client) Import(ctx context.Context, lines []byte) (Imported, error) {
	a, err := c.do(ctx, request{method: http.MethodPost, url: c.fhir.JoinPath("$import"), body: lines, contentType: LinesType, accept: MediaType})
	if err != nil {
		return Imported{}, err
	}
	var p struct {
		ResourceType string `json:"resourceType"`
		Parameter    []struct {
			Name         string  `json:"name"`
			ValueInteger int     `json:"valueInteger"`
			Resource     outcome `json:"resource"`
		} `json:"parameter"`
	}
	if err := json.Unmarshal(a.body, &p); err != nil || p.ResourceType != "Parameters" {
		return Imported{}, fault.New(fault.Internal, "the answer to an import is no Parameters resource", err)
	}
	var got Imported
	to := map[string]*int{"created": &got.Created, "updated": &got.Updated, "unchanged": &got.Unchanged, "failed": &got.Failed}
	for _, x := range p.Parameter {
		if n := to[x.Name]; n != nil {
			*n = x.ValueInteger
		}
		for _, i := range x.Resource.Issue {
			if i.Severity == "error" {
				got.Reasons = append(got.Reasons, within(fault.New(fault.Invalid, i.Diagnostics, nil), strings.Join(i.Expression, " ")))
			}
		}
	}
	return got, nil
}

// pieceBytes is how large the pieces are in which Pieces cuts a file, and
// pieceLines how many lines they have at most.
const (
	pieceBytes = 16 << 20
	pieceLines = 4000
)

// Pieces cuts an NDJSON file into pieces of whole lines, to be loaded one by one.
func Pieces(name string, file io.Reader, first bool) iter.Seq2[Bundle, error] {
	return func(yield func(Bundle, error) bool) {
		r := bufio.NewReaderSize(file, 1<<20)
		number, end := 1, false
		for !end {
			var body []byte
			begin := number
			for n := 0; n < pieceLines && len(body) < pieceBytes && !end; {
				part, err := r.ReadSlice('\n')
				body = append(body, part...)
				switch {
				case errors.Is(err, bufio.ErrBufferFull):
					continue
				case errors.Is(err, io.EOF):
					end = true
				case err != nil:
					yield(Bundle{}, fmt.Errorf("%s cannot be read: %w", name, err))
					return
				}
				n++
				number++
			}
			if len(body) == 0 {
				return
			}
			b := Bundle{Name: name + ":" + strconv.Itoa(begin), Body: body, First: first, Line: begin}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// lines loads one piece. Lines that have ids can be sent again; what has none
// would be there twice.
func (l *Load) lines(ctx context.Context, b Bundle) Outcome {
	o := Outcome{Name: b.Name}
	digest := sumOf(b.Body)
	before := l.Journal.of(digest)
	switch {
	case before == acknowledged:
		o.Skipped = true
		return o
	case ctx.Err() != nil:
		o.Err = fault.New(fault.Unavailable, "not sent: the load was stopped", context.Cause(ctx))
		return o
	case before == sent && !allHaveIDs(b.Body):
		o.Err = doubtful(nil)
		return o
	}
	if err := l.Journal.set(b.Name, digest, "sent", sent); err != nil {
		o.Err = errors.Join(errJournal, err)
		return o
	}
	begin := time.Now()
	got, err := l.Client.Import(ctx, b.Body)
	if FateUnknown(err) && ctx.Err() == nil {
		if !allHaveIDs(b.Body) {
			err = doubtful(err)
		} else {
			got, err = l.Client.Import(ctx, b.Body)
		}
	}
	o.Took, o.Resources = time.Since(begin), got.Created+got.Updated+got.Unchanged
	if err == nil && got.Failed > 0 {
		err = fault.New(fault.Unprocessable, fmt.Sprintf("%d of its lines are not stored, counted from line %d: %v", got.Failed, b.Line, errors.Join(got.Reasons...)), nil)
	}
	o.Err = err
	return l.note(o, digest)
}

func doubtful(cause error) error {
	return fault.New(fault.Conflict, "whether it was loaded is unknown, and it holds resources without ids, which would be there twice; "+
		"look, and load it with --restart if they are absent", cause)
}

func allHaveIDs(body []byte) bool {
	for line := range bytes.Lines(body) {
		var x struct{ ID string }
		if len(bytes.TrimSpace(line)) > 0 && (json.Unmarshal(line, &x) != nil || x.ID == "") {
			return false
		}
	}
	return true
}
