package rest

import (
	"net/http"
	"slices"
	"strings"

	kithttp "github.com/go-kit/kit/transport/http"

	"github.com/yba-health/yba/services/records/bulk"
	"github.com/yba-health/yba/services/records/subscription"
)

// route is one interaction or operation of the FHIR face. The mux, the
// CapabilityStatement and the OpenAPI document are made from the same rows.
type route struct {
	// method and path, which is relative to the base; {type}, {id} and
	// {version} stand for what they name.
	method, path string
	// operation is the row of the service's table that carries it out.
	operation string
	// code is the interaction (https://hl7.org/fhir/R4/codesystem-restful-interaction.html),
	// or an operation's name with "$", whose definition is then named.
	code, definition string
	// parameters are those that the query may have, and what each asks for.
	parameters [][2]string
	// summary says in one line what it does.
	summary string
	decode  kithttp.DecodeRequestFunc
	encode  kithttp.EncodeResponseFunc
	// stream, if set, serves the route instead of decode and encode; it
	// passes the guard by itself.
	stream func(*Face) http.Handler
	// binary, if set, serves the type Binary, whose content travels as it is,
	// and leaves the rest to next.
	binary func(f *Face, operation string, next http.Handler) http.Handler
}

// content lets the route carry the raw content of a Binary.
func (r route) content(handler func(f *Face, operation string, next http.Handler) http.Handler) route {
	r.binary = handler
	return r
}

// on makes the row of an interaction.
func on(pattern, operation, code, summary string, decode kithttp.DecodeRequestFunc, encode kithttp.EncodeResponseFunc) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{method: method, path: path, operation: operation, code: code, summary: summary, decode: decode, encode: encode}
}

// defined names the OperationDefinition of an operation.
func (r route) defined(canonical string) route {
	r.definition = canonical
	return r
}

// asking names the parameters of an operation.
func (r route) asking(parameters [][2]string) route {
	r.parameters = parameters
	return r
}

// coreOperation begins the canonical of an operation that R4 defines.
const coreOperation = "http://hl7.org/fhir/OperationDefinition/"

// These begin the canonicals of the topic backport's operations and of ours.
const (
	backportOperation = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"
	ownOperation      = "https://yba.health/fhir/OperationDefinition/"
)

// routes lists the FHIR face. A row with GET serves HEAD too.
func routes() []route {
	return []route{
		on("GET /metadata", "Capabilities", "capabilities", "Tell what this server offers", decodeForm(""), encodeResource),
		on("GET /openapi.json", "Capabilities", "", "Describe this face as OpenAPI 3.1", decodeForm("openapi"), encodeDocument),
		on("GET /.well-known/smart-configuration", "Capabilities", "", "Tell where to sign in (SMART App Launch 2)", decodeForm("smart"), encodeDocument),

		on("GET /{type}/{id}", "Read", "read", "Read the current version", decodeRead, encodeRead).content(readBinary),
		on("GET /{type}/{id}/_history/{version}", "ReadVersion", "vread", "Read one version", decodeVersion, encodeResource).content(readBinary),
		on("GET /{type}/{id}/_history", "History", "history-instance", "List the versions of a resource", decodeHistory, encodeBundle),
		on("GET /{type}/_history", "History", "history-type", "List the versions of all resources of a type", decodeHistory, encodeBundle),
		on("GET /_history", "History", "history-system", "List the versions of all resources", decodeHistory, encodeBundle),

		on("POST /{type}", "Create", "create", "Store a new resource", decodeCreate, encodeWrite).content(storeBinary),
		on("PUT /{type}/{id}", "Update", "update", "Replace a resource, or create it under this id", decodeUpdate, encodeWrite).content(storeBinary),
		on("PUT /{type}", "Update", "update", "Replace the resource that the criteria match, or create it", decodeUpdate, encodeWrite),
		on("PATCH /{type}/{id}", "Patch", "patch", "Change a resource by JSON Patch or FHIRPath Patch", decodePatch, encodeWrite),
		on("PATCH /{type}", "Patch", "patch", "Change the resource that the criteria match", decodePatch, encodeWrite),
		on("DELETE /{type}/{id}", "Delete", "delete", "Delete a resource; its history stays", decodeDelete, encodeDelete),
		on("DELETE /{type}", "Delete", "delete", "Delete what the criteria match", decodeDelete, encodeDelete),

		on("GET /{type}", "Search", "search-type", "Search a type", decodeSearch, encodeBundle),
		on("POST /{type}/_search", "Search", "search-type", "Search a type, with the parameters in a form", decodeSearchForm, encodeBundle),
		on("GET /{compartment}/{id}/{type}", "Search", "", "Search a type within a compartment; * searches every type", decodeSearch, encodeBundle),
		on("POST /{compartment}/{id}/{type}/_search", "Search", "", "Search a type within a compartment, with the parameters in a form", decodeSearchForm, encodeBundle),
		on("GET /", "Search", "search-system", "Search several types", decodeSearch, encodeBundle),
		on("POST /_search", "Search", "search-system", "Search several types, with the parameters in a form", decodeSearchForm, encodeBundle),

		on("POST /", "Transact", "transaction", "Carry out a batch or transaction", decodeTransact, encodeBundle),

		on("GET /Patient/{id}/$everything", "Everything", "$everything", "Read a patient's whole record", decodeEverything, encodeBundle).
			defined(coreOperation + "Patient-everything"),
		on("POST /Patient/{id}/$everything", "Everything", "$everything", "Read a patient's whole record", decodeEverything, encodeBundle).
			defined(coreOperation + "Patient-everything"),
		on("POST /Patient/$match", "Match", "$match", "Find the Patients that may be the given one", decodeOperation("Patient"), encodeBundle).
			defined(coreOperation + "Patient-match"),
		on("POST /Patient/$merge", "Merge", "$merge", "Make one record of two Patients'", decodeOperation("Patient"), encodeResource).
			defined(coreOperation + "Patient-merge"),
		on("POST /Patient/$unmerge", "Unmerge", "$unmerge", "Undo a merge", decodeOperation("Patient"), encodeResource).
			defined(ownOperation + "Patient-unmerge"),
		on("GET /Observation/$lastn", "LastN", "$lastn", "Read a patient's latest Observations of each code", decodeOperation("Observation"), encodeBundle).
			defined(coreOperation + "Observation-lastn"),
		on("POST /Observation/$lastn", "LastN", "$lastn", "Read a patient's latest Observations of each code", decodeOperation("Observation"), encodeBundle).
			defined(coreOperation + "Observation-lastn"),
		on("GET /{type}/{id}/$meta", "Meta", "$meta", "Read a resource's profiles, tags and security labels", decodeOperation(""), encodeResource).
			defined(coreOperation + "Resource-meta"),
		on("POST /{type}/{id}/$meta", "Meta", "$meta", "Read a resource's profiles, tags and security labels", decodeOperation(""), encodeResource).
			defined(coreOperation + "Resource-meta"),
		on("POST /{type}/{id}/$meta-add", "MetaAdd", "$meta-add", "Add profiles, tags and security labels to a resource", decodeOperation(""), encodeResource).
			defined(coreOperation + "Resource-meta-add"),
		on("POST /{type}/{id}/$meta-delete", "MetaDelete", "$meta-delete", "Take profiles, tags and security labels from a resource", decodeOperation(""), encodeResource).
			defined(coreOperation + "Resource-meta-delete"),

		on("GET /Subscription/$status", "SubscriptionStatus", "$status", "Tell how Subscriptions stand", decodeStatus, encodeBundle).
			defined(backportOperation + "status"),
		on("GET /Subscription/{id}/$status", "SubscriptionStatus", "$status", "Tell how a Subscription stands", decodeStatus, encodeBundle).
			defined(backportOperation + "status"),
		on("GET /Subscription/{id}/$events", "SubscriptionEvents", "$events", "Repeat events of a Subscription", decodeEvents, encodeBundle).
			defined(backportOperation + "events"),
		on("GET /Subscription/{id}/$get-ws-binding-token", "SubscriptionToken", "$get-ws-binding-token", "Get a token for a websocket", decodeToken, encodeResource).
			defined(backportOperation + "get-ws-binding-token"),
		on("POST /Subscription/{id}/$get-ws-binding-token", "SubscriptionToken", "$get-ws-binding-token", "Get a token for a websocket", decodeToken, encodeResource).
			defined(backportOperation + "get-ws-binding-token"),
		on("GET /Subscription/{id}/$secret", "SubscriptionSecret", "$secret", "Get the secret that notifications are signed with", decodeSecret, encodeResource).
			defined(ownOperation + "Subscription-secret"),
		on("GET /Subscription/{id}/$dead-letters", "SubscriptionDeadLetters", "$dead-letters", "List events that could not be delivered", decodeDeadLetters, encodeResource).
			defined(ownOperation + "Subscription-dead-letters"),
		on("POST /Subscription/{id}/$resend", "SubscriptionResend", "$resend", "Deliver dead letters again", decodeResend, encodeResource).
			defined(ownOperation + "Subscription-resend"),
		{
			method: "GET", path: subscription.SocketPath, operation: "SubscriptionEvents", summary: "Open a websocket for notifications",
			stream: func(f *Face) http.Handler { return http.HandlerFunc(f.socket) },
		},

		terms("GET /ValueSet/$expand", "Expand", "List the codes of a value set"),
		terms("POST /ValueSet/$expand", "Expand", "List the codes of a value set"),
		terms("GET /ValueSet/{id}/$expand", "Expand", "List the codes of a stored value set"),
		terms("POST /ValueSet/{id}/$expand", "Expand", "List the codes of a stored value set"),
		terms("GET /ValueSet/$validate-code", "ValidateCode", "Tell whether a code is in a value set"),
		terms("POST /ValueSet/$validate-code", "ValidateCode", "Tell whether a code is in a value set"),
		terms("GET /ValueSet/{id}/$validate-code", "ValidateCode", "Tell whether a code is in a stored value set"),
		terms("POST /ValueSet/{id}/$validate-code", "ValidateCode", "Tell whether a code is in a stored value set"),
		terms("GET /CodeSystem/$lookup", "Lookup", "Tell what is known of a code"),
		terms("POST /CodeSystem/$lookup", "Lookup", "Tell what is known of a code"),
		terms("GET /CodeSystem/$validate-code", "ValidateCode", "Tell whether a code is in a code system"),
		terms("POST /CodeSystem/$validate-code", "ValidateCode", "Tell whether a code is in a code system"),
		terms("GET /CodeSystem/{id}/$validate-code", "ValidateCode", "Tell whether a code is in a stored code system"),
		terms("POST /CodeSystem/{id}/$validate-code", "ValidateCode", "Tell whether a code is in a stored code system"),
		on("POST /{type}/$validate", "Validate", "$validate", "Tell what is wrong with a resource, without storing it", decodeValidate, encodeResource).
			defined(coreOperation + "Resource-validate"),
		on("GET /{type}/{id}/$validate", "Validate", "$validate", "Tell what is wrong with a stored resource", decodeValidate, encodeResource).
			defined(coreOperation + "Resource-validate"),
		on("POST /{type}/{id}/$validate", "Validate", "$validate", "Tell what would be wrong with a change or a deletion", decodeValidate, encodeResource).
			defined(coreOperation + "Resource-validate"),
		on("GET /$export", "Export", "$export", "Begin a bulk export of everything", decodeExport("system"), encodeExport).
			defined(bulkOperation + "export").asking(bulk.Parameters),
		on("POST /$export", "Export", "$export", "Begin a bulk export of everything", decodeExport("system"), encodeExport).
			defined(bulkOperation + "export").asking(bulk.Parameters),
		on("GET /Patient/$export", "Export", "$export", "Begin a bulk export of all patients", decodeExport("patient"), encodeExport).
			defined(bulkOperation + "patient-export").asking(bulk.Parameters),
		on("POST /Patient/$export", "Export", "$export", "Begin a bulk export of all patients", decodeExport("patient"), encodeExport).
			defined(bulkOperation + "patient-export").asking(bulk.Parameters),
		on("GET /Group/{id}/$export", "Export", "$export", "Begin a bulk export of a Group's members", decodeExport("group"), encodeExport).
			defined(bulkOperation + "group-export").asking(bulk.Parameters),
		on("POST /Group/{id}/$export", "Export", "$export", "Begin a bulk export of a Group's members", decodeExport("group"), encodeExport).
			defined(bulkOperation + "group-export").asking(bulk.Parameters),
		on("GET "+exportStatus, "ExportStatus", "", "Tell how far a bulk export is", decodeExportStatus, encodeExportStatus),
		on("DELETE "+exportStatus, "ExportCancel", "", "Cancel a bulk export and forget it", decodeExportCancel, encodeExportCancel),
		{method: "GET", path: bulk.FilePath, operation: "ExportFile", summary: "Download a file of a bulk export", stream: streamExport},
		{method: "POST", path: "/$import", operation: "Import", code: "$import", definition: ownOperation + "import", summary: "Store the resources of an NDJSON file", stream: streamImport},
	}
}

// Routes adds the rows to mux, and an OperationOutcome for everything else.
func (f *Face) Routes(mux *http.ServeMux) {
	f.mux = mux
	for _, r := range routes() {
		handler := http.Handler(kithttp.NewServer(f.endpoints[r.operation], r.decode, r.encode,
			kithttp.ServerBefore(f.before), kithttp.ServerErrorEncoder(encodeError)))
		if r.stream != nil {
			handler = r.stream(f)
		} else {
			handler = f.negotiated(handler)
		}
		if r.binary != nil {
			handler = r.binary(f, r.operation, handler)
		}
		handler = f.unpacked(r.operation, handler)
		if r.path == "/" {
			mux.Handle(r.method+" "+Prefix, handler)
			r.path = "/{$}"
		}
		mux.Handle(r.method+" "+Prefix+r.path, handler)
	}
	mux.HandleFunc(Prefix, f.nowhere)
	mux.HandleFunc(Prefix+"/", f.nowhere)
}

// interactions are the codes at the level of types or of the whole system
// (https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.interaction).
func interactions(system bool) []string {
	var codes []string
	for _, r := range routes() {
		typed := strings.HasPrefix(r.path, "/{type}")
		if r.code == "" || r.code == "capabilities" || r.code[0] == '$' || typed == system || slices.Contains(codes, r.code) {
			continue
		}
		codes = append(codes, r.code)
		if r.code == "transaction" {
			codes = append(codes, "batch")
		}
	}
	return codes
}

// named returns the operations of a type, those for every type under
// "{type}", and those of the system under "": names, definitions, and the
// parameters in words.
func named(typ string) [][3]string {
	var list [][3]string
	for _, r := range routes() {
		if r.code == "" || r.code[0] != '$' {
			continue
		}
		first, _, _ := strings.Cut(r.path[1:], "/")
		if first[0] == '$' {
			first = ""
		}
		parameters := ""
		for _, p := range r.parameters {
			parameters += "* `" + p[0] + "`: " + p[1] + "\n"
		}
		if op := [3]string{r.code[1:], r.definition, parameters}; first == typ && !slices.Contains(list, op) {
			list = append(list, op)
		}
	}
	return list
}
