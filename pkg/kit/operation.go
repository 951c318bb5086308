// Package kit carries every operation of every service on go-kit: a service
// lists its methods in a table, and kit serves them over HTTP/JSON and gRPC
// and calls them in-process, each time behind the same guard.
package kit

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-kit/kit/endpoint"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/guard"
)

// Operation is a row of a service's table.
type Operation struct {
	// Name is the service's short name and the method's: "consults.Book". It
	// keys policy, metrics and audit.
	Name string
	// Method is the name in the proto: "Book".
	Method string
	// Rules are what the operation asks of the guard.
	Rules guard.Rules

	endpoint   endpoint.Endpoint
	newRequest func() proto.Message
}

// message is a generated message type: *T that is a proto.Message.
type message[T any] interface {
	*T
	proto.Message
}

// Option changes the rules of an operation.
type Option func(*guard.Rules)

// Internal marks an operation that only services call.
func Internal(r *guard.Rules) { r.Internal = true }

// Unaudited marks an operation that touches nobody's data.
func Unaudited(r *guard.Rules) { r.Unaudited = true }

// Op describes m as the operation of the given proto method.
func Op[Req, Resp any, PReq message[Req], PResp message[Resp]](method string, m func(context.Context, PReq) (PResp, error), opts ...Option) Operation {
	op := Operation{
		Method:     method,
		newRequest: func() proto.Message { return PReq(new(Req)) },
		endpoint: func(ctx context.Context, request any) (any, error) {
			req, ok := request.(PReq)
			if !ok {
				return nil, fmt.Errorf("kit: %s got a %T", method, request)
			}
			return m(ctx, req)
		},
	}
	for _, o := range opts {
		o(&op.Rules)
	}
	return op
}

// Table is what a service offers.
type Table struct {
	// Service is the short name, "consults".
	Service string
	// Operations in the order of the proto.
	Operations []Operation

	desc *grpc.ServiceDesc
}

// NewTable joins a service's proto description with its operations. It fails
// when a method of the proto has no operation or an operation no method.
func NewTable(desc *grpc.ServiceDesc, ops ...Operation) (Table, error) {
	// "yba.consults.v1.Consults" → "consults"
	parts := strings.Split(desc.ServiceName, ".")
	t := Table{Service: parts[1], desc: desc}
	byMethod := map[string]Operation{}
	for _, op := range ops {
		byMethod[op.Method] = op
	}
	for _, m := range desc.Methods {
		op, ok := byMethod[m.MethodName]
		if !ok {
			return t, fmt.Errorf("kit: %s has no operation for %s", desc.ServiceName, m.MethodName)
		}
		delete(byMethod, m.MethodName)
		op.Name = t.Service + "." + op.Method
		t.Operations = append(t.Operations, op)
	}
	for method := range byMethod {
		return t, fmt.Errorf("kit: %s has no method %s", desc.ServiceName, method)
	}
	return t, nil
}

// Guarded returns the endpoint of op behind g.
func (op Operation) Guarded(g *guard.Guard) endpoint.Endpoint {
	return g.Middleware(op.Name, op.Rules)(op.endpoint)
}

// Lookup returns the guarded endpoint of a method, for codecs of a service's
// own (FHIR's REST face).
func (t Table) Lookup(g *guard.Guard, method string) (endpoint.Endpoint, error) {
	for _, op := range t.Operations {
		if op.Method == method {
			return op.Guarded(g), nil
		}
	}
	return nil, fmt.Errorf("kit: %s has no operation %s", t.Service, method)
}
