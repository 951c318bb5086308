package records

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
	"github.com/yba-health/yba/services/records/caller"
	"github.com/yba-health/yba/services/records/record"
	"github.com/yba-health/yba/services/records/terminology"
)

var errAnswer = errors.New("records: an answer of another type than the operation's")

func versionHeaders(w http.ResponseWriter, x *recordsv1.Resource) {
	if x.GetVersion() == 0 {
		return
	}
	w.Header().Set("ETag", etag(x.GetVersion()))
	if t, err := time.Parse(fhir.InstantLayout, x.GetLastUpdated()); err == nil {
		w.Header().Set("Last-Modified", t.UTC().Format(http.TimeFormat))
	}
}

func encodeResource(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.Resource)
	if !ok {
		return errAnswer
	}
	versionHeaders(w, x)
	return write(ctx, w, http.StatusOK, x.GetBody())
}

// encodeDocument answers with a document that is not FHIR.
func encodeDocument(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.Resource)
	if !ok {
		return errAnswer
	}
	return writeAs(ctx, w, "application/json", http.StatusOK, x.GetBody())
}

func encodeRead(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.Resource)
	if !ok {
		return errAnswer
	}
	versionHeaders(w, x)
	if len(x.GetBody()) == 0 {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return write(ctx, w, http.StatusOK, x.GetBody())
}

// encodeWrite answers a create or update as the client prefers
// (https://hl7.org/fhir/R4/http.html#ops).
func encodeWrite(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.Resource)
	if !ok {
		return errAnswer
	}
	versionHeaders(w, x)
	status := http.StatusOK
	if x.GetCreated() {
		status = http.StatusCreated
	}
	base := caller.Base(ctx, "")
	w.Header().Set("Location", base+"/"+x.GetType()+"/"+x.GetId()+"/_history/"+strconv.FormatInt(x.GetVersion(), 10))
	asked, _ := ctx.Value(headersKey{}).(headers)
	switch prefer := preference(asked.prefer, "return"); {
	case prefer == "OperationOutcome":
		return write(ctx, w, status, done("stored"))
	case prefer == "minimal" || len(x.GetBody()) == 0: // raw content is not sent back
		w.WriteHeader(status)
		return nil
	}
	return write(ctx, w, status, x.GetBody())
}

// encodeDelete answers without a body, but for those who prefer an outcome
// and those who deleted by a condition, who are told how many there were.
func encodeDelete(ctx context.Context, w http.ResponseWriter, response any) error {
	x, ok := response.(*recordsv1.Resource)
	if !ok {
		return errAnswer
	}
	asked, _ := ctx.Value(headersKey{}).(headers)
	prefer := preference(asked.prefer, "return")
	switch {
	case asked.conditional && prefer != "minimal":
		return write(ctx, w, http.StatusOK, done(deletedText(int(x.GetCount()))))
	case prefer == "OperationOutcome":
		versionHeaders(w, x)
		return write(ctx, w, http.StatusOK, done(deletedText(1)))
	}
	versionHeaders(w, x)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// done is the outcome of what went well.
func done(text string) []byte {
	return fhir.Outcome(fhir.Issue{Severity: "information", Code: "informational", Diagnostics: text})
}

func deletedText(n int) string { return strconv.Itoa(n) + " deleted" }

func encodeBundle(ctx context.Context, w http.ResponseWriter, response any) error {
	b, ok := response.(*recordsv1.Bundle)
	if !ok {
		return errAnswer
	}
	return write(ctx, w, http.StatusOK, b.GetBody())
}

// issueOf is what each class is in an OperationOutcome
// (https://hl7.org/fhir/R4/valueset-issue-type.html).
var issueOf = map[fault.Class]string{
	fault.Internal: "exception", fault.Invalid: "invalid", fault.Unauthenticated: "login", fault.Forbidden: "forbidden",
	fault.NotFound: "not-found", fault.Conflict: "conflict", fault.Gone: "deleted", fault.Precondition: "conflict",
	fault.TooLarge: "too-long", fault.Limited: "throttled", fault.Unavailable: "transient", fault.Unprocessable: "processing",
	fault.Unsupported: "not-supported",
}

// outcome tells what is wrong; of a resource that is not valid, all of it.
func outcome(f *fault.Error) []byte {
	if invalid, ok := errors.AsType[*fhir.InvalidError](f); ok {
		return fhir.Outcome(invalid.Issues...)
	}
	code := issueOf[f.Class]
	if errors.Is(f, terminology.ErrTooCostly) || errors.Is(f, record.ErrTooCostly) {
		code = "too-costly"
	}
	return fhir.Outcome(fhir.Issue{Severity: "error", Code: code, Diagnostics: f.Message, Expression: f.At})
}

func statusLine(c fault.Class) string {
	code := kit.StatusOf[c]
	return strconv.Itoa(code) + " " + http.StatusText(code)
}

// encodeError writes err as an OperationOutcome.
func encodeError(ctx context.Context, err error, w http.ResponseWriter) {
	f := fault.Of(err)
	if f.Class == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	// A client that left is no error.
	_ = write(ctx, w, kit.StatusOf[f.Class], outcome(f))
}
