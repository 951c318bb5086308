package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

func decodeStatus(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.SubscriptionStatusRequest{Id: r.PathValue("id"), Query: r.URL.RawQuery}, nil
}

func decodeEvents(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.SubscriptionEventsRequest{Id: r.PathValue("id"), Query: r.URL.RawQuery}, nil
}

func decodeToken(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.SubscriptionTokenRequest{Id: r.PathValue("id")}, nil
}

func decodeSecret(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.SubscriptionSecretRequest{Id: r.PathValue("id")}, nil
}

func decodeDeadLetters(_ context.Context, r *http.Request) (any, error) {
	return &recordsv1.SubscriptionDeadLettersRequest{Id: r.PathValue("id")}, nil
}

// decodeResend reads Parameters with event-number, or nothing for all.
func decodeResend(_ context.Context, r *http.Request) (any, error) {
	b, err := body(r, kit.MaxBody)
	if err != nil {
		return nil, err
	}
	req := &recordsv1.SubscriptionResendRequest{Id: r.PathValue("id")}
	if len(b) == 0 {
		return req, nil
	}
	var p struct {
		Parameter []struct {
			Name         string      `json:"name"`
			ValueString  string      `json:"valueString"`
			ValueInteger json.Number `json:"valueInteger"`
		} `json:"parameter"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fault.New(fault.Invalid, "Parameters with event-number are expected", nil)
	}
	for _, x := range p.Parameter {
		n, err := strconv.ParseInt(x.ValueString+x.ValueInteger.String(), 10, 64)
		if x.Name != "event-number" || err != nil {
			return nil, fault.New(fault.Invalid, "Parameters with event-number are expected", nil)
		}
		req.Numbers = append(req.Numbers, n)
	}
	return req, nil
}

// socket serves the route of websockets.
func (f *Face) socket(w http.ResponseWriter, r *http.Request) {
	if f.Notifications == nil { // a face without a service behind it
		nowhere(w, r)
		return
	}
	f.Notifications.ServeHTTP(w, r)
}
