package rest

import (
	"context"
	"net/http"
	"strings"

	kithttp "github.com/go-kit/kit/transport/http"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/record"
)

// decodeOperation reads a call of an operation on typ, or on the type in the
// address where typ is empty.
func decodeOperation(typ string) kithttp.DecodeRequestFunc {
	return func(_ context.Context, r *http.Request) (any, error) {
		req := &recordsv1.OperationRequest{Type: typ, Id: r.PathValue("id"), Query: r.URL.RawQuery}
		if typ == "" {
			req.Type = r.PathValue("type")
		}
		if r.Method != http.MethodPost {
			return req, nil
		}
		var err error
		req.Body, err = body(r, record.MaxSize)
		return req, err
	}
}

// terms makes the row of a terminology operation ("GET /ValueSet/$expand").
func terms(pattern, operation, summary string) route {
	_, path, _ := strings.Cut(pattern, "/")
	typ, _, _ := strings.Cut(path, "/")
	name := path[strings.LastIndexByte(path, '$')+1:]
	return on(pattern, operation, "$"+name, summary, decodeTerms(typ), encodeResource).defined(coreOperation + typ + "-" + name)
}

func decodeTerms(typ string) kithttp.DecodeRequestFunc {
	return func(_ context.Context, r *http.Request) (any, error) {
		req := &recordsv1.TerminologyRequest{Type: typ, Id: r.PathValue("id"), Query: r.URL.RawQuery}
		if r.Method != http.MethodPost {
			return req, nil
		}
		var err error
		req.Body, err = body(r, record.MaxSize)
		return req, err
	}
}

func decodeValidate(_ context.Context, r *http.Request) (any, error) {
	req := &recordsv1.ValidateRequest{Type: r.PathValue("type"), Id: r.PathValue("id")}
	query := r.URL.Query()
	req.Mode, req.Profile = query.Get("mode"), query.Get("profile")
	if r.Method != http.MethodPost {
		return req, nil
	}
	var err error
	req.Body, err = body(r, record.MaxSize)
	return req, err
}

// encodeOutcome writes an answer that has no version.
func encodeOutcome(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.Resource)
	if !ok {
		return errAnswer
	}
	return write(ctx, w, http.StatusOK, x.GetBody())
}
