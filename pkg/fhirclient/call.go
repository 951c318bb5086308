package fhirclient

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
)

// message is a pointer to a generated message type.
type message[T any] interface {
	*T
	proto.Message
}

// Call carries out an operation of the suite's JSON API. The operation is
// named as in policy and audit, "stations.ImportUnits"; the answer's type is
// given: Call[stationsv1.ImportUnitsResponse](ctx, c, "stations.ImportUnits", req).
func Call[T any, M message[T]](ctx context.Context, c *Client, operation string, req proto.Message) (M, error) {
	service, method, ok := strings.Cut(operation, ".")
	if !ok {
		return nil, fault.Newf(fault.Invalid, "%q is no operation such as stations.ListUnits", operation)
	}
	body, err := protojson.Marshal(req)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the request to "+operation+" cannot be written as JSON", err)
	}
	a, err := c.do(ctx, request{
		method: http.MethodPost, url: c.base.JoinPath("api", service, "v1", method), body: body,
		contentType: "application/json", accept: "application/json",
	})
	if err != nil {
		return nil, err
	}
	resp := M(new(T))
	// A newer server may know more fields than this client.
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(a.body, resp); err != nil {
		return nil, fault.New(fault.Internal, "the answer of "+operation+" is not its JSON", err)
	}
	return resp, nil
}
