package rest

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
	w.Header().Set("ETag", fhir.ETag(x.GetVersion()))
	// Also where no body follows (RFC 9110 section 15.4.5).
	w.Header().Set("Cache-Control", "no-store")
	if t, err := time.Parse(fhir.InstantLayout, x.GetLastUpdated()); err == nil {
		w.Header().Set("Last-Modified", t.UTC().Format(http.TimeFormat))
	}
}

// encodeResource answers with a resource, and its version where it has one.
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
		return write(ctx, w, status, fhir.Inform("stored"))
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
		return write(ctx, w, http.StatusOK, deleted(int(x.GetCount())))
	case prefer == "OperationOutcome":
		versionHeaders(w, x)
		return write(ctx, w, http.StatusOK, deleted(int(x.GetCount())))
	}
	versionHeaders(w, x)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func deleted(n int) []byte { return fhir.Inform(strconv.Itoa(n) + " deleted") }

func encodeBundle(ctx context.Context, w http.ResponseWriter, response any) error {
	b, ok := response.(*recordsv1.Bundle)
	if !ok {
		return errAnswer
	}
	return write(ctx, w, http.StatusOK, b.GetBody())
}

// encodeError writes err as an OperationOutcome.
func encodeError(ctx context.Context, err error, w http.ResponseWriter) {
	f := fault.Of(err)
	if f.Class == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	// A client that left is no error.
	_ = write(ctx, w, kit.StatusOf[f.Class], OutcomeOf(f))
}

// OutcomeOf is the OperationOutcome of an error, by itself or as the answer to
// an entry of a Bundle.
func OutcomeOf(f *fault.Error) []byte {
	if errors.Is(f, terminology.ErrTooCostly) || errors.Is(f, record.ErrTooCostly) {
		return fhir.Outcome(fhir.Issue{Severity: "error", Code: "too-costly", Diagnostics: f.Message, Expression: f.At})
	}
	return fhir.OutcomeOf(f)
}
