package records

import (
	"context"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// maxAnswer bounds the resources that a Bundle's answer brings along, in bytes.
const maxAnswer = 32 << 20

// ask answers a GET or HEAD as long as the Bundle's answer has room left.
func (r *Records) ask(ctx context.Context, e *entry, left *int) error {
	if *left <= 0 {
		return fault.New(fault.TooLarge, "the answers to the Bundle's other entries are large already; ask for this one by itself", nil)
	}
	err := r.get(ctx, e)
	if e.method == "HEAD" {
		e.answer.Resource = nil
	}
	*left -= len(e.answer.Resource)
	return err
}

// asked is what an address in a Bundle asks for.
func asked(parts []string) string {
	switch n := len(parts); {
	case parts[n-1] == "_history" && n <= 3:
		return "History"
	case n == 1:
		return "Search"
	case n == 2:
		return "Read"
	case n == 3 && parts[0] == "Patient" && parts[2] == "$everything":
		return "Everything"
	case n == 4 && parts[2] == "_history":
		return "ReadVersion"
	}
	return ""
}

// get carries out a GET within a Bundle.
func (r *Records) get(ctx context.Context, e *entry) error {
	path, query, _ := strings.Cut(e.get.Get("url").Str(), "?")
	parts := strings.Split(path, "/")
	op := asked(parts)
	if op == "" || op == "Read" && query != "" {
		return fault.New(fault.Invalid, "a GET within a Bundle reads Type/id, searches Type?…, lists _history or asks Patient/id/$everything", nil)
	}
	ctx, err := r.enter(ctx, op)
	if err != nil {
		return err
	}
	part := func(i int) string {
		if i < len(parts) && parts[i] != "_history" {
			return parts[i]
		}
		return ""
	}
	var b *recordsv1.Bundle
	switch op {
	case "Read":
		x, err := r.Read(ctx, &recordsv1.ReadRequest{
			Type: parts[0], Id: parts[1], IfNoneMatch: e.get.Get("ifNoneMatch").Str(), IfModifiedSince: e.get.Get("ifModifiedSince").Str(),
		})
		if err != nil {
			return err
		}
		e.answer = fhir.BundleEntry{
			FullURL: r.baseOf(ctx) + "/" + path, Resource: x.GetBody(), Status: "200 OK",
			ETag: fhir.ETag(x.GetVersion()), LastModified: x.GetLastUpdated(),
		}
		if len(x.GetBody()) == 0 {
			e.answer.Status = "304 Not Modified"
		}
		return nil
	case "ReadVersion":
		x, err := r.ReadVersion(ctx, &recordsv1.ReadVersionRequest{Type: parts[0], Id: parts[1], Version: parts[3]})
		if err != nil {
			return err
		}
		e.answer = fhir.BundleEntry{Resource: x.GetBody(), Status: "200 OK", ETag: fhir.ETag(x.GetVersion()), LastModified: x.GetLastUpdated()}
		return nil
	case "Search":
		b, err = r.Search(ctx, &recordsv1.SearchRequest{Type: parts[0], Query: query})
	case "History":
		b, err = r.History(ctx, &recordsv1.HistoryRequest{Type: part(0), Id: part(1), Query: query})
	default:
		b, err = r.Everything(ctx, &recordsv1.EverythingRequest{Patient: parts[1], Query: query})
	}
	if err != nil {
		return err
	}
	e.answer = fhir.BundleEntry{Resource: b.GetBody(), Status: "200 OK"}
	return nil
}
