package records

import (
	"context"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// maxAnswer bounds the resources that a Bundle's answer brings along, in bytes.
const maxAnswer = 32 << 20

// question is what an entry of a Bundle asks without changing anything: a row
// of the service's table and its request.
type question struct {
	operation string
	request   proto.Message
}

// asking is a form of address that an entry may ask at. In path, names in
// braces stand for what the address names.
type asking struct {
	methods, path string
	operation     string
	request       func(a asked) proto.Message
}

// asked is an address as one of the rows understands it.
type asked struct {
	typ, id, version, within string
	query                    string
	request, body            fhir.Value
}

// askings are the interactions and operations that read
// (https://hl7.org/fhir/R4/http.html#transaction: any interaction may stand in
// a Bundle, and any operation that GET or POST calls). The first match counts.
var askings = []asking{
	{"GET", "metadata", "Capabilities", func(asked) proto.Message { return &recordsv1.CapabilitiesRequest{} }},
	{"GET", "_history", "History", historyAsked},
	{"GET", "{type}/_history", "History", historyAsked},
	{"GET", "{type}/{id}/_history", "History", historyAsked},
	{"GET", "{type}/{id}/_history/{version}", "ReadVersion", func(a asked) proto.Message {
		return &recordsv1.ReadVersionRequest{Type: a.typ, Id: a.id, Version: a.version, Query: a.query}
	}},
	{"GET", "Patient/{id}/$everything", "Everything", everythingAsked},
	{"POST", "Patient/{id}/$everything", "Everything", everythingAsked},
	{"POST", "Patient/$match", "Match", operationAsked("Patient")},
	{"GET POST", "Observation/$lastn", "LastN", operationAsked("Observation")},
	{"GET POST", "{type}/{id}/$meta", "Meta", operationAsked("")},
	{"POST", "{type}/$validate", "Validate", validateAsked},
	{"GET POST", "{type}/{id}/$validate", "Validate", validateAsked},
	{"GET POST", "ValueSet/$expand", "Expand", termsAsked("ValueSet")},
	{"GET POST", "ValueSet/{id}/$expand", "Expand", termsAsked("ValueSet")},
	{"GET POST", "ValueSet/$validate-code", "ValidateCode", termsAsked("ValueSet")},
	{"GET POST", "ValueSet/{id}/$validate-code", "ValidateCode", termsAsked("ValueSet")},
	{"GET POST", "CodeSystem/$lookup", "Lookup", termsAsked("CodeSystem")},
	{"GET POST", "CodeSystem/$validate-code", "ValidateCode", termsAsked("CodeSystem")},
	{"GET POST", "CodeSystem/{id}/$validate-code", "ValidateCode", termsAsked("CodeSystem")},
	{"GET", "{type}/{id}", "Read", func(a asked) proto.Message {
		return &recordsv1.ReadRequest{
			Type: a.typ, Id: a.id, Query: a.query,
			IfNoneMatch: a.request.Get("ifNoneMatch").Str(), IfModifiedSince: a.request.Get("ifModifiedSince").Str(),
		}
	}},
	{"GET", "{within}/{id}/{type}", "Search", searchAsked},
	{"GET", "{type}", "Search", searchAsked},
	{"GET", "", "Search", searchAsked},
}

func historyAsked(a asked) proto.Message {
	return &recordsv1.HistoryRequest{Type: a.typ, Id: a.id, Query: a.query}
}

func everythingAsked(a asked) proto.Message {
	return &recordsv1.EverythingRequest{Patient: a.id, Query: a.query, Body: a.body.Raw()}
}

func searchAsked(a asked) proto.Message {
	if a.typ == "*" {
		a.typ = ""
	}
	req := &recordsv1.SearchRequest{Type: a.typ, Query: a.query, Compartment: a.within}
	if a.within != "" {
		req.CompartmentId = a.id
	}
	return req
}

func operationAsked(typ string) func(asked) proto.Message {
	return func(a asked) proto.Message {
		if typ != "" {
			a.typ = typ
		}
		return &recordsv1.OperationRequest{Type: a.typ, Id: a.id, Query: a.query, Body: a.body.Raw()}
	}
}

func termsAsked(typ string) func(asked) proto.Message {
	return func(a asked) proto.Message {
		return &recordsv1.TerminologyRequest{Type: typ, Id: a.id, Query: a.query, Body: a.body.Raw()}
	}
}

func validateAsked(a asked) proto.Message {
	// What is not URL-encoded names neither of them.
	values, _ := url.ParseQuery(a.query)
	return &recordsv1.ValidateRequest{Type: a.typ, Id: a.id, Body: a.body.Raw(), Mode: values.Get("mode"), Profile: values.Get("profile")}
}

// questionOf understands the entry v, whose address is relative to the base.
func questionOf(method, address string, v fhir.Value) (question, bool) {
	if method == "HEAD" {
		method = "GET"
	}
	path, query, _ := strings.Cut(address, "?")
	parts := strings.Split(path, "/")
	for _, row := range askings {
		a := asked{query: query, request: v.Get("request"), body: v.Get("resource")}
		if strings.Contains(row.methods, method) && a.fits(row.path, parts) {
			return question{row.operation, row.request(a)}, true
		}
	}
	return question{}, false
}

// fits reports whether the address has the form of path, and notes its parts.
func (a *asked) fits(path string, parts []string) bool {
	form := strings.Split(path, "/")
	if len(form) != len(parts) {
		return false
	}
	for i, name := range form {
		part := parts[i]
		// What has a meaning of its own is nobody's name.
		special := part == "" || part[0] == '_' || part[0] == '$'
		switch {
		case name == part:
		case special || !strings.HasPrefix(name, "{"):
			return false
		case name == "{type}":
			a.typ = part
		case name == "{id}":
			a.id = part
		case name == "{version}":
			a.version = part
		default:
			a.within = part
		}
	}
	return true
}

// ask answers a question as long as the Bundle's answer has room left. It
// passes the guard like a request of its own.
func (r *Records) ask(ctx context.Context, e *entry, left *int) error {
	if *left <= 0 {
		return fault.New(fault.TooLarge, "the answers to the Bundle's other entries are large already; ask for this one by itself", nil)
	}
	response, err := r.call(ctx, e.question.operation, e.question.request)
	if err != nil {
		return err
	}
	e.answer = fhir.BundleEntry{Status: "200 OK"}
	switch x := response.(type) {
	case *recordsv1.Bundle:
		e.answer.Resource = x.GetBody()
	case *recordsv1.Resource:
		e.answer.Resource = x.GetBody()
		if x.GetVersion() > 0 {
			e.answer.ETag, e.answer.LastModified = fhir.ETag(x.GetVersion()), x.GetLastUpdated()
		}
		if e.question.operation == "Read" {
			e.answer.FullURL = r.baseOf(ctx) + "/" + x.GetType() + "/" + x.GetId()
			if len(x.GetBody()) == 0 {
				e.answer.Status = "304 Not Modified"
			}
		}
	}
	if e.method == "HEAD" {
		e.answer.Resource = nil
	}
	*left -= len(e.answer.Resource)
	return nil
}
