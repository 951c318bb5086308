package rest

import (
	"context"
	"net/http"
	"strings"

	kithttp "github.com/go-kit/kit/transport/http"

	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// decodeOperation reads a call of an operation on typ, or on the type in the
// address where typ is empty.
func decodeOperation(typ string) kithttp.DecodeRequestFunc {
	return func(_ context.Context, r *http.Request) (any, error) {
		of := typ
		if of == "" {
			of = r.PathValue("type")
		}
		b, err := posted(r)
		return &recordsv1.OperationRequest{Type: of, Id: r.PathValue("id"), Query: r.URL.RawQuery, Body: b}, err
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
		b, err := posted(r)
		return &recordsv1.TerminologyRequest{Type: typ, Id: r.PathValue("id"), Query: r.URL.RawQuery, Body: b}, err
	}
}

func decodeValidate(_ context.Context, r *http.Request) (any, error) {
	query := r.URL.Query()
	b, err := posted(r)
	return &recordsv1.ValidateRequest{
		Type: r.PathValue("type"), Id: r.PathValue("id"), Mode: query.Get("mode"), Profile: query.Get("profile"), Body: b,
	}, err
}
