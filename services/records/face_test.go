package records

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/guard"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// gate lets the bearer of "good" do everything and nobody else anything.
type gate struct{ accessv1.AccessClient }

func (gate) Authorize(_ context.Context, req *accessv1.AuthorizeRequest, _ ...grpc.CallOption) (*accessv1.Decision, error) {
	if req.GetToken() != "good" {
		return &accessv1.Decision{}, nil
	}
	return &accessv1.Decision{Allowed: true, Principal: &guard.Principal{Account: "a"}, Scope: &guard.Scope{All: true, Shared: true}}, nil
}

func (gate) Append(context.Context, *accessv1.AppendRequest, ...grpc.CallOption) (*accessv1.AppendResponse, error) {
	return &accessv1.AppendResponse{}, nil
}

// faceOf returns the FHIR face of r, to which access lets people in.
func faceOf(t testing.TB, r *Records, access accessv1.AccessClient) http.Handler {
	t.Helper()
	o := around(t, r)
	table, err := o.Table()
	if err != nil {
		t.Fatal(err)
	}
	auditor := guard.NewAuditor(access, slog.New(slog.DiscardHandler))
	t.Cleanup(auditor.Close)
	face, err := o.Face(table, guard.New(access, auditor, slog.New(slog.DiscardHandler), prometheus.NewRegistry()), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	face.Routes(mux)
	return mux
}

// calls returns how to call the FHIR face of r, as the bearer of "good".
func calls(t testing.TB, r *Records) func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	mux := faceOf(t, r, gate{})
	return func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer good")
		req.Header.Set("Content-Type", "application/fhir+json")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		return w
	}
}
