package kit

import (
	"context"

	kitgrpc "github.com/go-kit/kit/transport/grpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
)

// maxMessage bounds a gRPC message: a transaction Bundle fits.
const maxMessage = 64 << 20

// MountGRPC serves t's operations on s. The principal comes from metadata
// that the calling service has signed with the key they share.
func MountGRPC(s *grpc.Server, g *guard.Guard, keys *guard.Signer, t Table) {
	desc := grpc.ServiceDesc{ServiceName: t.desc.ServiceName, HandlerType: (*any)(nil), Metadata: t.desc.Metadata}
	for _, op := range t.Operations {
		server := kitgrpc.NewServer(op.Guarded(g), same, same)
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: op.Method,
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				req := op.newRequest()
				if err := decode(req); err != nil {
					return nil, err
				}
				ctx, err := fromMetadata(ctx, keys)
				if err != nil {
					return nil, toStatus(err)
				}
				_, resp, err := server.ServeGRPC(ctx, req)
				if err != nil {
					return nil, toStatus(err)
				}
				return resp, nil
			},
		})
	}
	s.RegisterService(&desc, struct{}{})
}

func same(_ context.Context, m any) (any, error) { return m, nil }

const (
	principalKey = "yba-principal-bin"
	reasonKey    = "yba-reason-bin"
)

func fromMetadata(ctx context.Context, keys *guard.Signer) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	signed := md.Get(principalKey)
	if len(signed) != 1 {
		return ctx, fault.New(fault.Unauthenticated, "no principal", nil)
	}
	p, err := keys.Verify([]byte(signed[0]))
	if err != nil {
		return ctx, err
	}
	if r := md.Get(reasonKey); len(r) == 1 {
		ctx = guard.WithReason(ctx, r[0])
	}
	return guard.WithPrincipal(ctx, p), nil
}

// Dial returns a connection to a service in another process.
func Dial(address string, keys *guard.Signer) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage), grpc.WaitForReady(true)),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			p := guard.PrincipalOf(ctx)
			if p == nil {
				return fault.New(fault.Internal, "internal error", errNoPrincipal)
			}
			signed, err := keys.Sign(p)
			if err != nil {
				return err
			}
			ctx = metadata.AppendToOutgoingContext(ctx, principalKey, string(signed))
			if r := guard.ReasonOf(ctx); r != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, reasonKey, r)
			}
			return fromStatus(invoke(ctx, method, req, reply, cc, opts...))
		}))
}

// NewGRPCServer returns a server with the limits that Dial expects.
func NewGRPCServer() *grpc.Server {
	return grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
}

var codeOf = map[fault.Class]codes.Code{
	fault.Internal: codes.Internal, fault.Invalid: codes.InvalidArgument, fault.Unauthenticated: codes.Unauthenticated,
	fault.Forbidden: codes.PermissionDenied, fault.NotFound: codes.NotFound, fault.Conflict: codes.AlreadyExists,
	fault.Gone: codes.DataLoss, fault.Precondition: codes.FailedPrecondition, fault.TooLarge: codes.OutOfRange,
	fault.Limited: codes.ResourceExhausted, fault.Unavailable: codes.Unavailable, fault.NotModified: codes.Aborted,
	fault.Unprocessable: codes.Unimplemented, fault.Unsupported: codes.Unknown,
}

var classOf = func() map[codes.Code]fault.Class {
	m := map[codes.Code]fault.Class{}
	for class, code := range codeOf {
		m[code] = class
	}
	m[codes.DeadlineExceeded] = fault.Unavailable
	m[codes.Canceled] = fault.Unavailable
	return m
}()

// The place of a fault travels before its message, parted by a unit separator.
const unitSeparator = "\x1f"

func toStatus(err error) error {
	f := fault.Of(err)
	return status.Error(codeOf[f.Class], f.At+unitSeparator+f.Message)
}

func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	class, ok := classOf[st.Code()]
	at, message, found := cut(st.Message())
	if !ok || !found {
		// Not one of ours: the connection failed.
		if !ok || st.Code() == codes.Unknown {
			class = fault.Unavailable
		}
		return fault.New(class, "another part of the system did not answer", err)
	}
	f := fault.New(class, message, nil)
	f.At = at
	return f
}
