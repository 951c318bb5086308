package notices

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/kit"
	"github.com/yba-health/yba/pkg/projection"
	noticesv1 "github.com/yba-health/yba/proto/gen/yba/notices/v1"
	"github.com/yba-health/yba/services/notices/message"
)

// Service tells people things. Use New.
type Service struct {
	store    message.Store
	people   *people
	writer   *writer
	follower *follower
	carrier  *carrier
	key      string
	now      func() time.Time
	table    kit.Table

	background *projection.Follower
	log        *slog.Logger
	// retry is the pause after a failure and between looks into the outbox;
	// woken ends it when the outbox may have something new.
	retry time.Duration
	woken chan struct{}
}

func (s *Service) operations() error {
	var err error
	s.table, err = kit.NewTable(&noticesv1.Notices_ServiceDesc,
		// Everyone sees their own notices only, and nothing clinical is in them.
		kit.Op("ListNotices", s.ListNotices, kit.Unaudited),
		kit.Op("MarkRead", s.MarkRead, kit.Unaudited),
		kit.Op("PushKey", s.PushKey, kit.Unaudited),
		kit.Op("Subscribe", s.Subscribe, kit.Unaudited),
		kit.Op("Unsubscribe", s.Unsubscribe, kit.Unaudited),
		kit.Op("Notify", s.Notify),
	)
	return err
}

// Table lists the operations.
func (s *Service) Table() kit.Table { return s.table }

// Routes adds nothing: every operation is in the table.
func (s *Service) Routes(*http.ServeMux) {}

func account(ctx context.Context) (string, error) {
	if a := guard.PrincipalOf(ctx).GetAccount(); a != "" {
		return a, nil
	}
	return "", fault.New(fault.Unauthenticated, "sign in first", nil)
}

// ListNotices lists one's own notices, newest first.
func (s *Service) ListNotices(ctx context.Context, req *noticesv1.ListNoticesRequest) (*noticesv1.ListNoticesResponse, error) {
	a, err := account(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(req.GetLimit())
	if limit <= 0 {
		limit = 30
	}
	list, unread, err := s.store.List(ctx, a, min(limit, 200))
	if err != nil {
		return nil, err
	}
	out := &noticesv1.ListNoticesResponse{Unread: int32(unread)}
	for _, n := range list {
		out.Notices = append(out.Notices, &noticesv1.Notice{
			Id: strconv.FormatInt(n.ID, 10), Kind: n.Kind, Title: n.Title, Text: n.Text, Link: n.Link,
			At: n.At.UTC().Format("2006-01-02T15:04:05.000Z"), Read: n.Read,
		})
	}
	return out, nil
}

// MarkRead marks one of one's own notices, or all of them.
func (s *Service) MarkRead(ctx context.Context, req *noticesv1.MarkReadRequest) (*noticesv1.MarkReadResponse, error) {
	a, err := account(ctx)
	if err != nil {
		return nil, err
	}
	var id int64
	if req.GetId() != "" {
		if id, err = strconv.ParseInt(req.GetId(), 10, 64); err != nil || id <= 0 {
			return nil, fault.New(fault.NotFound, "there is no such notice", nil).In("id")
		}
	}
	return &noticesv1.MarkReadResponse{}, s.store.MarkRead(ctx, a, id)
}

// PushKey is the application server key of Web Push.
func (s *Service) PushKey(context.Context, *noticesv1.PushKeyRequest) (*noticesv1.PushKeyResponse, error) {
	return &noticesv1.PushKeyResponse{PublicKey: s.key}, nil
}

// Subscribe lets the account be reached in a browser.
func (s *Service) Subscribe(ctx context.Context, req *noticesv1.SubscribeRequest) (*noticesv1.SubscribeResponse, error) {
	a, err := account(ctx)
	if err != nil {
		return nil, err
	}
	sub := message.Subscription{Account: a, Endpoint: req.GetEndpoint(), P256dh: req.GetP256Dh(), Auth: req.GetAuth()}
	if err := message.CheckSubscription(sub); err != nil {
		return nil, err
	}
	return &noticesv1.SubscribeResponse{}, s.store.Subscribe(ctx, sub)
}

// Unsubscribe ends that.
func (s *Service) Unsubscribe(ctx context.Context, req *noticesv1.UnsubscribeRequest) (*noticesv1.UnsubscribeResponse, error) {
	a, err := account(ctx)
	if err != nil {
		return nil, err
	}
	return &noticesv1.UnsubscribeResponse{}, s.store.Unsubscribe(ctx, a, req.GetEndpoint())
}

// Notify tells an account, or a patient's people, something for another
// service. Values known to the templates: start (RFC 3339), what (note or
// prescription), name, language (vi or en).
func (s *Service) Notify(ctx context.Context, req *noticesv1.NotifyRequest) (*noticesv1.NotifyResponse, error) {
	if guard.PrincipalOf(ctx).GetService() == "" {
		return nil, fault.New(fault.Forbidden, "notices.Notify is for services only", nil)
	}
	kinds := s.writer.words.kinds()
	slices.Sort(kinds)
	if !slices.Contains(kinds, req.GetKind()) {
		return nil, fault.Newf(fault.Invalid, "there is no such kind; there are %s", strings.Join(kinds, ", ")).In("kind")
	}
	if req.GetKey() == "" || len(req.GetKey()) > 200 {
		return nil, fault.New(fault.Invalid, "a key of at most 200 characters keeps the same thing from being told twice", nil).In("key")
	}
	// A link stays within the app: "//host" and "https:" would leave it.
	if l := req.GetLink(); l != "" && (!strings.HasPrefix(l, "/") || strings.HasPrefix(l, "//") || strings.Contains(l, `\`)) || len(req.GetLink()) > 300 {
		return nil, fault.New(fault.Invalid, "must be a path within the app, such as /patient/consultation/12", nil).In("link")
	}
	v := req.GetValues()
	for name, value := range v {
		if !slices.Contains([]string{"start", "what", "name", "language"}, name) || len(value) > 200 {
			return nil, fault.New(fault.Invalid, "values are start, what, name and language, of at most 200 bytes", nil).In("values")
		}
	}
	if (req.GetAccount() == "") == (req.GetPatient() == "") {
		return nil, fault.New(fault.Invalid, "name either an account or a patient", nil).In("account")
	}
	// Services tell by their own right, not by that of the user they act for.
	alone := guard.As(guard.WithPrincipal(ctx, nil), "notices")
	who := []person{{account: req.GetAccount(), language: languages[0]}}
	if req.GetPatient() != "" {
		guard.Touch(ctx, req.GetPatient(), "")
		var err error
		if who, err = s.people.ofPatient(alone, req.GetPatient()); err != nil {
			return nil, err
		}
	}
	now := s.now()
	var orders []message.Order
	for _, p := range who {
		if v["language"] != "" {
			p.language = v["language"]
		}
		o, err := s.writer.order(p, req.GetKind(), req.GetKey(), req.GetLink(), v["start"], values{Ward: p.ward, What: v["what"], Name: v["name"]}, now)
		if err != nil {
			return nil, fault.New(fault.Internal, "internal error", err)
		}
		o.Notice.Kind = strings.TrimPrefix(o.Notice.Kind, "doctor-")
		orders = append(orders, o)
	}
	if err := s.store.Tell(ctx, "", "", orders, nil, now); err != nil {
		return nil, err
	}
	s.wake()
	return &noticesv1.NotifyResponse{}, nil
}
