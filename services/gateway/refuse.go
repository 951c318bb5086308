package gateway

import (
	"net/http"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
	"github.com/yba-health/yba/pkg/kit"
)

// refuse answers with an error in the words of the face that was asked: under
// /fhir that is an OperationOutcome (https://hl7.org/fhir/R4/http.html#summary).
func refuse(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	if !strings.HasPrefix(r.URL.Path, "/fhir/") {
		kit.EncodeError(r.Context(), f, w)
		return
	}
	w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
	w.WriteHeader(kit.StatusOf[f.Class])
	// A client that left is no error.
	_, _ = w.Write(fhir.OutcomeOf(f))
}
