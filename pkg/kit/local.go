package kit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-kit/kit/endpoint"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
)

var errNoPrincipal = errors.New("kit: call between services without a principal: use guard.As")

func cut(s string) (at, message string, ok bool) { return strings.Cut(s, unitSeparator) }

// Local is a connection to a service in this process. Generated clients take
// it in place of a gRPC connection, so a caller cannot tell the two forms
// apart: the same client, the same guard, the same errors.
type Local struct {
	methods map[string]endpoint.Endpoint
}

var _ grpc.ClientConnInterface = (*Local)(nil)

// NewLocal returns a connection on which nothing is served yet.
func NewLocal() *Local { return &Local{methods: map[string]endpoint.Endpoint{}} }

// Serve makes t's operations reachable behind g. It is called while the
// process is put together, before the first call.
func (l *Local) Serve(g *guard.Guard, t Table) {
	for _, op := range t.Operations {
		l.methods["/"+t.desc.ServiceName+"/"+op.Method] = op.Guarded(g)
	}
}

// Invoke calls a method. The request is passed as it is: callers do not
// change a request after sending it, nor an answer that they received.
func (l *Local) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	e, ok := l.methods[method]
	if !ok {
		return fault.New(fault.Unavailable, "this part of the system is not running", fmt.Errorf("kit: no %s", method))
	}
	if guard.PrincipalOf(ctx) == nil {
		return fault.New(fault.Internal, "internal error", errNoPrincipal)
	}
	resp, err := e(ctx, args)
	if err != nil {
		return err
	}
	from, ok := resp.(proto.Message)
	to, ok2 := reply.(proto.Message)
	if !ok || !ok2 {
		return fmt.Errorf("kit: %s answered a %T", method, resp)
	}
	// A shallow copy: bodies are shared, not copied.
	dst := to.ProtoReflect()
	from.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		dst.Set(fd, v)
		return true
	})
	return nil
}

// NewStream is part of the interface; no service streams between processes.
func (l *Local) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("kit: no streams between services")
}
