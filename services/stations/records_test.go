package stations_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/guard"
	"github.com/yba-health/yba/pkg/vitext"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	exchangev1 "github.com/yba-health/yba/proto/gen/yba/exchange/v1"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/exchange"
)

// memory is a system of record for these tests: it keeps resources, finds them
// by the parameters that stations uses, refuses those it does not know, and
// holds the commune scope of a nurse.
type memory struct {
	recordsv1.RecordsClient
	mu   sync.Mutex
	list []*stored
	log  []*recordsv1.Change
	// loseAnswer makes Transact lose its answer after it has written.
	loseAnswer bool
	transacts  int
}

type stored struct {
	typ, id string
	version int64
	body    map[string]any
}

func dig(v any, path ...string) []any {
	if len(path) == 0 {
		if v == nil {
			return nil
		}
		return []any{v}
	}
	switch x := v.(type) {
	case map[string]any:
		return dig(x[path[0]], path[1:]...)
	case []any:
		var out []any
		for _, one := range x {
			out = append(out, dig(one, path...)...)
		}
		return out
	}
	return nil
}

func texts(v any, path ...string) []string {
	var out []string
	for _, one := range dig(v, path...) {
		if list, ok := one.([]any); ok {
			for _, x := range list {
				if s, ok := x.(string); ok {
					out = append(out, s)
				}
			}
		} else if s, ok := one.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (s *stored) patient() string {
	if s.typ == "Patient" {
		return s.id
	}
	for _, k := range []string{"subject", "patient"} {
		for _, r := range texts(s.body, k, "reference") {
			return strings.TrimPrefix(r, "Patient/")
		}
	}
	return ""
}

func (m *memory) commune(patient string) string {
	for _, s := range m.list {
		if s.typ == "Patient" && s.id == patient {
			return communeOf(s.body)
		}
	}
	return ""
}

func communeOf(body map[string]any) string {
	for _, e := range dig(body, "address", "extension") {
		for _, one := range e.([]any) {
			x := one.(map[string]any)
			if x["url"] == "https://yba.health/fhir/unit" {
				c := x["valueCoding"].(map[string]any)
				return c["code"].(string) + "@" + c["version"].(string)
			}
		}
	}
	return ""
}

func (m *memory) may(ctx context.Context, s *stored) bool {
	p := guard.PrincipalOf(ctx)
	return p.GetService() == "stations" || s.patient() != "" && slices.Contains(p.GetCommunes(), m.commune(s.patient()))
}

func (m *memory) Read(ctx context.Context, r *recordsv1.ReadRequest, _ ...grpc.CallOption) (*recordsv1.Resource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.list {
		if s.typ == r.GetType() && s.id == r.GetId() {
			if !m.may(ctx, s) {
				return nil, fault.New(fault.Forbidden, "you may not reach this record", nil)
			}
			b, err := json.Marshal(s.body)
			return &recordsv1.Resource{Type: s.typ, Id: s.id, Version: s.version, Body: b}, err
		}
	}
	return nil, fault.New(fault.NotFound, "not found", nil)
}

func prefixed(words []string, want string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(vitext.Fold(w), vitext.Fold(want)) })
}

func (s *stored) matches(key, want string) bool {
	switch key {
	case "_count", "_sort":
		return true
	case "_id":
		return slices.Contains(strings.Split(want, ","), s.id)
	case "identifier":
		for _, v := range dig(s.body, "identifier") {
			for _, one := range v.([]any) {
				i := one.(map[string]any)
				if system, value, ok := strings.Cut(want, "|"); ok && i["system"] == system && i["value"] == value || i["value"] == want {
					return true
				}
			}
		}
		return false
	case "name":
		return prefixed(append(append(texts(s.body, "name", "given"), texts(s.body, "name", "family")...), texts(s.body, "name", "text")...), want)
	case "given":
		return prefixed(texts(s.body, "name", "given"), want)
	case "birthdate":
		return slices.ContainsFunc(texts(s.body, "birthDate"), func(b string) bool { return strings.HasPrefix(b, want) })
	case "phone":
		return slices.Contains(texts(s.body, "telecom", "value"), want)
	case "patient":
		return s.patient() == want
	case "category":
		return slices.Contains(texts(s.body, "category", "coding", "code"), want) || strings.Contains(mustJSON(s.body["category"]), `"`+want+`"`)
	case "clinical-status":
		return strings.Contains(mustJSON(s.body["clinicalStatus"]), `"`+want+`"`)
	case "member":
		return strings.Contains(mustJSON(s.body["member"]), `"`+want+`"`)
	}
	panic("records does not know the parameter " + key)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (m *memory) find(typ string, q url.Values) []*stored {
	var out []*stored
	for _, s := range m.list {
		ok := s.typ == typ
		for k, values := range q {
			for _, v := range values {
				ok = ok && s.matches(k, v)
			}
		}
		if ok {
			out = append(out, s)
		}
	}
	if q.Get("_sort") == "-date" {
		sort.SliceStable(out, func(i, j int) bool {
			return texts(out[i].body, "effectiveDateTime")[0] > texts(out[j].body, "effectiveDateTime")[0]
		})
	}
	return out
}

func (m *memory) Search(ctx context.Context, r *recordsv1.SearchRequest, _ ...grpc.CallOption) (*recordsv1.Bundle, error) {
	q, err := url.ParseQuery(r.GetQuery())
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := []any{}
	for _, s := range m.find(r.GetType(), q) {
		if m.may(ctx, s) {
			entries = append(entries, map[string]any{"resource": s.body, "search": map[string]any{"mode": "match"}})
		}
	}
	if n, err := strconv.Atoi(q.Get("_count")); err == nil && len(entries) > n {
		entries = entries[:n]
	}
	return &recordsv1.Bundle{Body: []byte(mustJSON(map[string]any{"resourceType": "Bundle", "type": "searchset", "entry": entries}))}, nil
}

// exact decodes JSON and keeps the digits of numbers.
func exact(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

func (m *memory) Transact(ctx context.Context, r *recordsv1.TransactRequest, _ ...grpc.CallOption) (*recordsv1.Bundle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transacts++
	var b struct {
		Entry []struct {
			FullURL  string
			Resource map[string]any
			Request  struct{ Method, URL, IfNoneExist, IfMatch string }
		}
	}
	if err := exact(string(r.GetBundle()), &b); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	old := make([]*stored, len(b.Entry))
	for i, e := range b.Entry {
		typ := e.Resource["resourceType"].(string)
		id := strconv.Itoa(len(m.list) + i + 1)
		if e.Request.Method == "PUT" {
			id = strings.TrimPrefix(e.Request.URL, typ+"/")
		} else if q, err := url.ParseQuery(e.Request.IfNoneExist); err != nil || len(q) == 0 {
			return nil, fault.New(fault.Invalid, "a create without condition", err)
		} else if had := m.find(typ, q); len(had) > 0 {
			old[i], id = had[0], had[0].id
		}
		ids[e.FullURL] = typ + "/" + id
	}
	text := string(r.GetBundle())
	for from, to := range ids {
		text = strings.ReplaceAll(text, `"`+from+`"`, `"`+to+`"`)
	}
	if strings.Contains(text, `"reference":"urn:uuid`) {
		return nil, fault.New(fault.Invalid, "a reference to no entry", nil)
	}
	full := b.Entry
	b.Entry = nil
	if err := exact(text, &b); err != nil {
		return nil, err
	}
	var entries []any
	for i, e := range b.Entry {
		ref := ids[full[i].FullURL]
		typ, id, _ := strings.Cut(ref, "/")
		version := int64(1)
		if old[i] == nil {
			next := &stored{typ, id, 1, e.Resource}
			next.body["id"] = id
			if p := guard.PrincipalOf(ctx); p.GetService() == "" {
				c := m.commune(next.patient())
				if typ == "Patient" {
					c = communeOf(e.Resource)
				}
				if !slices.Contains(p.GetCommunes(), c) {
					return nil, fault.New(fault.Forbidden, "you may not reach this record", nil)
				}
			}
			at := slices.IndexFunc(m.list, func(s *stored) bool { return s.typ == typ && s.id == id })
			if at >= 0 {
				next.version = m.list[at].version + 1
				if e.Request.IfMatch != `W/"`+strconv.FormatInt(m.list[at].version, 10)+`"` {
					return nil, fault.New(fault.Precondition, "another version is current", nil)
				}
				m.list[at] = next
			} else {
				m.list = append(m.list, next)
			}
			version = next.version
			m.log = append(m.log, &recordsv1.Change{Type: typ, Id: id, Version: version, Patient: next.patient(), Op: "create", Body: []byte(mustJSON(next.body))})
		}
		entries = append(entries, map[string]any{"response": map[string]any{"status": "201 Created", "location": ref + "/_history/" + strconv.FormatInt(version, 10)}})
	}
	if m.loseAnswer {
		return nil, fault.New(fault.Unavailable, "another part of the system did not answer", nil)
	}
	return &recordsv1.Bundle{Body: []byte(mustJSON(map[string]any{"resourceType": "Bundle", "type": "transaction-response", "entry": entries}))}, nil
}

func (m *memory) Changes(_ context.Context, r *recordsv1.ChangesRequest, _ ...grpc.CallOption) (*recordsv1.ChangesResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _ := strconv.Atoi(r.GetCursor())
	out := &recordsv1.ChangesResponse{Cursor: strconv.Itoa(len(m.log))}
	for _, c := range m.log[n:] {
		if slices.Contains(r.GetTypes(), c.GetType()) {
			out.Changes = append(out.Changes, c)
		}
	}
	return out, nil
}

func (m *memory) count(typ string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.find(typ, nil))
}

// only returns the one resource of a type.
func (m *memory) only(t *testing.T, typ string) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.find(typ, nil)
	if len(list) != 1 {
		t.Fatalf("%d resources of type %s, want one", len(list), typ)
	}
	return mustJSON(list[0].body)
}

// accounts is the part of access that stations calls.
type accounts struct {
	accessv1.AccessClient
	list []*accessv1.Account
}

func (a *accounts) ListAccounts(ctx context.Context, r *accessv1.ListAccountsRequest, _ ...grpc.CallOption) (*accessv1.ListAccountsResponse, error) {
	if guard.PrincipalOf(ctx).GetService() != "stations" {
		return nil, fault.New(fault.Forbidden, "you may not do this", nil)
	}
	out := &accessv1.ListAccountsResponse{}
	for _, x := range a.list {
		if r.GetPatient() != "" && x.GetPatient() == r.GetPatient() {
			out.Accounts = append(out.Accounts, x)
		}
	}
	return out, nil
}

func (a *accounts) CreateAccount(ctx context.Context, r *accessv1.CreateAccountRequest, _ ...grpc.CallOption) (*accessv1.CreateAccountResponse, error) {
	if guard.PrincipalOf(ctx).GetService() != "stations" {
		return nil, fault.New(fault.Forbidden, "you may not do this", nil)
	}
	for _, x := range a.list {
		if x.GetUsername() == r.GetUsername() {
			return nil, fault.New(fault.Conflict, "it exists already", nil)
		}
	}
	x := &accessv1.Account{Username: r.GetUsername(), Name: r.GetName(), Roles: r.GetRoles(), Patient: r.GetPatient()}
	a.list = append(a.list, x)
	return &accessv1.CreateAccountResponse{Account: x, ActivationCode: "123-456"}, nil
}

// numbers is the real exchange, called directly.
type numbers struct{ *exchange.Service }

func (n numbers) CheckIdentifier(ctx context.Context, r *exchangev1.CheckIdentifierRequest, _ ...grpc.CallOption) (*exchangev1.CheckedIdentifier, error) {
	return n.Service.CheckIdentifier(ctx, r)
}
