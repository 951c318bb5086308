package stations

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// element is a FHIR element to be written. Numbers in it are json.Number, so
// that the digits stay as the nurse typed them.
type element = map[string]any

func coding(system, code, display string) element {
	e := element{"system": system, "code": code}
	if display != "" {
		e["display"] = display
	}
	return e
}

func concept(text string, codings ...element) element {
	e := element{"coding": codings}
	if text != "" {
		e["text"] = text
	}
	return e
}

func reference(ref string) element { return element{"reference": ref} }

// clientIdentifier marks a resource with the client id of the entry, and the
// part of it that the resource is, so that a retry cannot double it.
func clientIdentifier(clientID, part string) element {
	return element{"system": fhir.SystemClient, "value": clientPart(clientID, part)}
}

func clientPart(clientID, part string) string {
	if part == "" {
		return clientID
	}
	return clientID + "/" + part
}

// transaction is a FHIR transaction Bundle
// (https://hl7.org/fhir/R4/http.html#transaction).
type transaction struct{ entries []element }

// create adds a conditional create under the client id and returns the
// reference by which other entries name it. The full URL is derived from the
// client id and unique within the Bundle.
func (t *transaction) create(clientID, part string, resource element) string {
	typ, _ := resource["resourceType"].(string)
	full := "urn:uuid:" + strings.ToLower(clientID[:24]) + leftPad(len(t.entries))
	t.entries = append(t.entries, element{
		"fullUrl": full, "resource": resource,
		"request": element{
			"method": "POST", "url": typ,
			"ifNoneExist": "identifier=" + url.QueryEscape(fhir.SystemClient+"|"+clientPart(clientID, part)),
		},
	})
	return full
}

func leftPad(n int) string {
	s := strconv.FormatInt(int64(n), 16)
	return strings.Repeat("0", 12-len(s)) + s
}

// update adds a replacement of version of typ/id.
func (t *transaction) update(typ, id string, version int64, body json.RawMessage) {
	t.entries = append(t.entries, element{
		"fullUrl": typ + "/" + id, "resource": body,
		"request": element{"method": "PUT", "url": typ + "/" + id, "ifMatch": `W/"` + strconv.FormatInt(version, 10) + `"`},
	})
}

// send carries the transaction out and returns what was written, "Type/id" in
// the order of the entries.
func (t *transaction) send(ctx context.Context, records recordsv1.RecordsClient) ([]string, error) {
	body, err := json.Marshal(element{"resourceType": "Bundle", "type": "transaction", "entry": t.entries})
	if err != nil {
		return nil, err
	}
	answer, err := records.Transact(ctx, &recordsv1.TransactRequest{Bundle: body})
	if err != nil {
		return nil, err
	}
	var b struct {
		Entry []struct{ Response struct{ Location string } }
	}
	if err := json.Unmarshal(answer.GetBody(), &b); err != nil || len(b.Entry) != len(t.entries) {
		return nil, fault.New(fault.Internal, "internal error", err)
	}
	var refs []string
	for _, e := range b.Entry {
		ref, ok := versionless(e.Response.Location)
		if !ok {
			return nil, fault.New(fault.Internal, "internal error", nil)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// versionless takes "Type/id" out of a location, which may be absolute and may
// end in _history/n.
func versionless(location string) (string, bool) {
	location, _, _ = strings.Cut(location, "/_history/")
	parts := strings.Split(location, "/")
	if len(parts) < 2 || parts[len(parts)-1] == "" {
		return "", false
	}
	return strings.Join(parts[len(parts)-2:], "/"), true
}

func idOf(ref string) string {
	_, id, _ := strings.Cut(ref, "/")
	return id
}

// search returns the resources that a query finds, decoded as T.
func search[T any](ctx context.Context, records recordsv1.RecordsClient, typ string, query url.Values) ([]T, error) {
	answer, err := records.Search(ctx, &recordsv1.SearchRequest{Type: typ, Query: query.Encode()})
	if err != nil {
		return nil, err
	}
	var b struct {
		Entry []struct {
			Resource json.RawMessage
			Search   struct{ Mode string }
		}
	}
	if err := json.Unmarshal(answer.GetBody(), &b); err != nil {
		return nil, fault.New(fault.Internal, "internal error", err)
	}
	var list []T
	for _, e := range b.Entry {
		if e.Search.Mode == "outcome" {
			continue
		}
		var one T
		if err := json.Unmarshal(e.Resource, &one); err != nil {
			return nil, fault.New(fault.Internal, "internal error", err)
		}
		list = append(list, one)
	}
	return list, nil
}

func read[T any](ctx context.Context, records recordsv1.RecordsClient, typ, id string) (T, *recordsv1.Resource, error) {
	var one T
	r, err := records.Read(ctx, &recordsv1.ReadRequest{Type: typ, Id: id})
	if err != nil {
		return one, nil, err
	}
	if err := json.Unmarshal(r.GetBody(), &one); err != nil {
		return one, nil, fault.New(fault.Internal, "internal error", err)
	}
	return one, r, nil
}
