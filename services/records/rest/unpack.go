package rest

import (
	"compress/gzip" // the quicker one of klauspost/compress takes a member whose head is cut for the end
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
)

// unpacked lets a body travel by gzip (RFC 9110 section 8.4): what reads it
// sees, and bounds, what was packed. A few kilobytes can hold what fills a
// memory, so the guard is asked before anything is unpacked, and not only
// whether there is a token.
func (f *Face) unpacked(operation string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		coding := r.Header.Get("Content-Encoding")
		if coding == "" {
			next.ServeHTTP(w, r)
			return
		}
		ctx := f.before(r.Context(), r)
		switch strings.ToLower(coding) {
		case "identity":
		case "gzip", "x-gzip":
			ctx, err := f.Guard.Enter(ctx, "records."+operation, guard.Rules{}, nil)
			if err != nil {
				f.Guard.Note(ctx, "records."+operation, "", "", err)
				encodeError(ctx, err, w)
				return
			}
			r.Body, r.ContentLength = &unpacking{packed: r.Body}, -1
		default:
			// RFC 7694 section 3
			w.Header().Set("Accept-Encoding", "gzip")
			refuse(ctx, w, http.StatusUnsupportedMediaType, "a body is packed by gzip or not at all")
			return
		}
		r.Header.Del("Content-Encoding")
		next.ServeHTTP(w, r)
	})
}

// unpacking reads what gzip packed. It begins with the first Read.
type unpacking struct {
	packed io.ReadCloser
	gz     *gzip.Reader
}

func (u *unpacking) Read(p []byte) (n int, err error) {
	if u.gz == nil {
		u.gz, err = gzip.NewReader(u.packed)
	}
	if err == nil {
		n, err = u.gz.Read(p)
	}
	if err == nil || errors.Is(err, io.EOF) && u.gz != nil {
		return n, err
	}
	// Nobody shall take it for the end, as io.ErrUnexpectedEOF sometimes is.
	return n, fault.New(fault.Invalid, "the body is no whole gzip, which its Content-Encoding says", errors.New(err.Error()))
}

func (u *unpacking) Close() error { return u.packed.Close() }
