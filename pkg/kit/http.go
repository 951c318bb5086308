package kit

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	kithttp "github.com/go-kit/kit/transport/http"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
)

// MaxBody bounds a request of the JSON API, in bytes. FHIR bundles have a
// limit of their own in services/records/rest.
const MaxBody = 1 << 20

// maxReason bounds a reason, in bytes.
const maxReason = 500

// ReasonHeader carries why the user opens a record, percent-encoded.
const ReasonHeader = "Yba-Reason"

// MountHTTP serves t's operations as POST /api/<service>/v1/<Method> with
// JSON bodies (the proto3 JSON mapping). Everything is a POST so that no
// patient's data stands in a URL. Internal operations are not served.
func MountHTTP(mux *http.ServeMux, g *guard.Guard, t Table) {
	for _, op := range t.Operations {
		if op.Rules.Internal {
			continue
		}
		mux.Handle("POST /api/"+t.Service+"/v1/"+op.Method, kithttp.NewServer(
			op.Guarded(g), op.decode, encode,
			kithttp.ServerBefore(FromHTTP),
			kithttp.ServerErrorEncoder(EncodeError),
		))
	}
}

// FromHTTP puts the bearer token and the user's reason into the context.
func FromHTTP(ctx context.Context, r *http.Request) context.Context {
	if h := r.Header.Get("Authorization"); len(h) > 7 && strings.EqualFold(h[:7], "Bearer ") {
		ctx = guard.WithToken(ctx, h[7:])
	}
	if reason, err := url.PathUnescape(r.Header.Get(ReasonHeader)); err == nil && reason != "" && len(reason) <= maxReason && printable(reason) {
		ctx = guard.WithReason(ctx, reason)
	}
	return ctx
}

// printable refuses what neither the log nor the database takes.
func printable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func (op Operation) decode(_ context.Context, r *http.Request) (any, error) {
	// Requiring JSON keeps browsers from sending it across origins without a preflight.
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return nil, fault.New(fault.Invalid, "Content-Type must be application/json", nil)
	}
	body, err := ReadBody(r, MaxBody)
	if err != nil {
		return nil, err
	}
	req := op.newRequest()
	if len(body) == 0 {
		return req, nil
	}
	if err := protojson.Unmarshal(body, req); err != nil {
		return nil, fault.New(fault.Invalid, "the body is not the JSON of "+op.Name+": "+place(err), err)
	}
	return req, nil
}

// place keeps of a protojson error what names the place and the field, which
// is all the caller needs; values are quoted by protojson only for enums.
func place(err error) string {
	s := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	if _, rest, ok := strings.Cut(s, "proto: "); ok {
		return rest
	}
	return s
}

// ReadBody reads at most limit bytes; more is fault.TooLarge.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, fault.Newf(fault.TooLarge, "the body is larger than %d bytes", limit)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return nil, f // what unpacks it knows better
		}
		return nil, fault.New(fault.Invalid, "the body could not be read", err)
	}
	return body, nil
}

var marshal = protojson.MarshalOptions{EmitDefaultValues: true}

func encode(_ context.Context, w http.ResponseWriter, response any) error {
	m, ok := response.(proto.Message)
	if !ok {
		return errors.New("kit: answer is no message")
	}
	body, err := marshal.Marshal(m)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, err = w.Write(body)
	return err
}

// StatusOf is what each class means in HTTP.
var StatusOf = map[fault.Class]int{
	fault.Internal: http.StatusInternalServerError, fault.Invalid: http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized, fault.Forbidden: http.StatusForbidden,
	fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict, fault.Gone: http.StatusGone,
	fault.Precondition: http.StatusPreconditionFailed, fault.TooLarge: http.StatusRequestEntityTooLarge,
	fault.Limited: http.StatusTooManyRequests, fault.Unavailable: http.StatusServiceUnavailable,
	fault.NotModified: http.StatusNotModified, fault.Unprocessable: http.StatusUnprocessableEntity,
	fault.Unsupported: http.StatusMethodNotAllowed,
}

// EncodeError writes err as {"error":{"class","message","at"}}.
func EncodeError(_ context.Context, err error, w http.ResponseWriter) {
	f := fault.Of(err)
	if f.Class == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(StatusOf[f.Class])
	// A client that left is no error.
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{
		"class": f.Class.String(), "message": f.Message, "at": f.At,
	}})
}
