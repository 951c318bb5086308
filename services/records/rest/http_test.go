package rest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/yba-health/yba/pkg/pg/pgtest"
	"github.com/yba-health/yba/services/records/recordstest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestTheFHIRFaceSpeaksHTTP(t *testing.T) {
	r, _ := recordstest.Open(t)
	call := r.Calls(t)
	made := call("POST", "/fhir/R4/Organization", `{"resourceType":"Organization","name":"A"}`)
	_, rest, _ := strings.Cut(made.Header().Get("Location"), "/fhir/R4/")
	ref, _, _ := strings.Cut(rest, "/_history")
	_, id, _ := strings.Cut(ref, "/")
	if made.Code != 201 || made.Header().Get("ETag") != `W/"1"` || ref == "" {
		t.Fatalf("create: %d %v %s", made.Code, made.Header(), made.Body)
	}
	for _, tt := range []struct {
		method, path, body string
		headers            []string
		status             int
		holds              string
	}{
		{"GET", "/" + ref, "", nil, 200, `"name":"A"`},
		{"HEAD", "/" + ref, "", nil, 200, ""},
		{"GET", "/" + ref, "", []string{"If-None-Match", `W/"1"`}, 304, ""},
		{"GET", "/" + ref + "/_history/1", "", nil, 200, `"name":"A"`},
		{"GET", "/" + ref + "/_history", "", nil, 200, `"type":"history"`},
		{"GET", "/" + ref, "", []string{"Authorization", "Bearer bad"}, 401, "login"},
		{"PUT", "/" + ref, `{"resourceType":"Organization","id":"` + id + `","name":"B"}`, []string{"If-Match", `W/"9"`}, 412, "OperationOutcome"},
		{"PUT", "/" + ref, `{"resourceType":"Organization","id":"` + id + `","name":"B"}`, []string{"Prefer", "return=minimal"}, 200, ""},
		{"GET", "/Organization?name=b", "", nil, 200, `"name":"B"`},
		{"POST", "/Organization/_search", "name=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, `"name":"B"`},
		{"GET", "/Organization?colour=b", "", nil, 400, "OperationOutcome"},
		{"GET", "/Organization?colour=b", "", []string{"Prefer", "handling=lenient"}, 200, "ignored"},
		{"POST", "/Organization", `{"resourceType":"Organization","name":7}`, nil, 400, "Organization.name"},
		{"POST", "/Organization", `{"resourceType":"Organization","name":"B"}`, []string{"If-None-Exist", "name=b"}, 200, `"name":"B"`},
		{"POST", "/Observation", `{"resourceType":"Observation","status":"done","colour":"red"}`, nil, 400, `"code":"code-invalid"`},
		{"POST", "/Observation", `{"resourceType":"Observation","status":"done","colour":"red"}`, nil, 400, `"expression":["Observation.colour"]`},
		{"POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","gender":"w"},"request":{"method":"POST","url":"Patient"}}]}`, nil, 400, `"expression":["Bundle.entry[0].resource.gender"]`},
		{"POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","gender":"w"},"request":{"method":"POST","url":"Patient"}}]}`, nil, 200, `"code":"code-invalid"`},
		{"POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[]}`, nil, 200, "transaction-response"},
		{"GET", "/metadata", "", nil, 200, "CompartmentDefinition/practitioner"},
		{"GET", "?_type=Organization&_id=" + id, "", nil, 200, `"name":"B"`},
		{"POST", "/_search?_type=Organization", "_id=" + id, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, `"name":"B"`},
		{"GET", "/Patient/x/Observation?code=1", "", nil, 200, `/Patient/x/Observation?code=1"`},
		{"GET", "/Patient/x/*?_type=Observation", "", nil, 200, `/Patient/x/*?_type=Observation"`},
		{"POST", "/Patient/x/Observation/_search", "code=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, `/Patient/x/Observation?code=1"`},
		{"GET", "/Location/x/Observation", "", nil, 404, "no such compartment"},
		{"GET", "/" + ref + "?_elements=active", "", nil, 200, "SUBSETTED"},
		{"GET", "/" + ref + "?colour=b", "", nil, 400, "_elements"},
		{"DELETE", "/" + ref, "", nil, 204, ""},
		{"GET", "/" + ref, "", nil, 410, "deleted"},
		{"GET", "/Nothing/1", "", nil, 404, "not-found"},
		{"GET", "/Organization/nobody", "", nil, 404, "not-found"},
		{"GET", "/" + ref + "/_history/9", "", nil, 404, "not-found"},
		{"GET", "/" + ref + "?_format=xml", "", nil, 406, "not-supported"},
		{"GET", "/" + ref + "/_history/1?_format=application/fhir%2Bjson;fhirVersion=4.0", "", nil, 200, `"name":"A"`},
		{"GET", "/" + ref + "/_history/1?_format=application/fhir%2Bjson;fhirVersion=3.0", "", nil, 406, "not-supported"},
		{"GET", "/" + ref + "/_history/1?_format=json", "", nil, 200, `"name":"A"`},
		{"GET", "/Organization", "", []string{"Accept", "application/fhir+xml"}, 406, "not-supported"},
		{"GET", "/Organization?_format=application%2Ffhir%2Bjson", "", []string{"Accept", "text/html"}, 200, "searchset"},
		{"POST", "/Organization", "<Organization/>", []string{"Content-Type", "application/fhir+xml"}, 415, "not-supported"},
		{"POST", "/Organization", "x", []string{"Content-Encoding", "br"}, 415, "not-supported"},
		{"POST", "/Organization", `{"resourceType":"Organization","id":"mine","name":"C"}`, nil, 201, `"name":"C"`},
		{"POST", "/Nothing", `{"resourceType":"Nothing"}`, nil, 404, "not-found"},
		{"POST", "/Organization", `{"resourceType":"Patient","active":true}`, nil, 400, "resourceType"},
		{"PUT", "/Organization/other", `{"resourceType":"Organization","id":"mine","name":"C"}`, nil, 400, "Organization.id"},
		{"PUT", "/Organization/other", `{"resourceType":"Organization","name":"C"}`, nil, 400, "id"},
		{"PUT", "/Organization/other", `{"resourceType":"Organization","id":"other","name":"C"}`, nil, 201, `"name":"C"`},
		{"PUT", "/Organization/other", `{"resourceType":"Organization","id":"other","name":"D"}`, []string{"If-Match", "*"}, 200, `"name":"D"`},
		{"PATCH", "/Organization/other", `[]`, nil, 400, "Parameters"},
		{"PATCH", "/Organization/other", `<diff/>`, []string{"Content-Type", "application/xml-patch+xml"}, 415, "not-supported"},
		{"PATCH", "/Organization/other", `[{"op":"replace","path":"/name","value":"E"}]`, []string{"Content-Type", "application/json-patch+json", "If-Match", `W/"1"`}, 412, "OperationOutcome"},
		{"PATCH", "/Organization/other", `[{"op":"replace","path":"/name","value":"E"}]`, []string{"Content-Type", "application/json-patch+json", "If-Match", `W/"2`}, 400, "If-Match"},
		{"PATCH", "/Organization/other", `[{"op":"test","path":"/name","value":"E"}]`, []string{"Content-Type", "application/json-patch+json"}, 422, "patch[0].value"},
		{"PATCH", "/Organization/other", `[{"op":"replace","path":"/name","value":7}]`, []string{"Content-Type", "application/json-patch+json"}, 422, "Organization.name"},
		{"PATCH", "/Organization/other", `[{"op":"replace","path":"/id","value":"x"}]`, []string{"Content-Type", "application/json-patch+json"}, 422, "Organization.id"},
		{"PATCH", "/Organization/other", `[{"op":"replace","path":"/name","value":"E"}]`, []string{"Content-Type", "application/json-patch+json", "If-Match", `W/"2"`}, 200, `"name":"E"`},
		{"PATCH", "/Organization?name=e", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Organization.name"},{"name":"value","valueString":"F"}]}]}`, nil, 200, `"name":"F"`},
		{"PATCH", "/Organization?name=nobody", `[]`, []string{"Content-Type", "application/json-patch+json"}, 404, "not-found"},
		{"PATCH", "/Organization/nobody", `[]`, []string{"Content-Type", "application/json-patch+json"}, 404, "not-found"},
		{"GET", "/Organization/other", "", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, 304, ""},
		{"GET", "/Organization/other", "", []string{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", "If-None-Match", `W/"1"`}, 200, `"name":"F"`},
		{"GET", "/Organization/other", "", []string{"If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"}, 200, `"name":"F"`},
		{"GET", "/Organization/other", "", []string{"If-Modified-Since", "yesterday"}, 200, `"name":"F"`},
		{"PUT", "/Organization/other", `{"resourceType":"Organization","id":"other","name":"G"}`, []string{"If-None-Match", "*"}, 412, "OperationOutcome"},
		{"PUT", "/Organization/new", `{"resourceType":"Organization","id":"new","name":"N"}`, []string{"If-None-Match", "*"}, 201, `"name":"N"`},
		{"PUT", "/Organization?name=n", `{"resourceType":"Organization","name":"N2"}`, nil, 200, `"id":"new"`},
		{"PUT", "/Organization?name=n2", `{"resourceType":"Organization","id":"other","name":"N2"}`, nil, 400, "id"},
		{"PUT", "/Organization?name=n3", `{"resourceType":"Organization","id":"other","name":"N3"}`, nil, 409, "id"},
		{"PUT", "/Organization?name=n3", `{"resourceType":"Organization","id":"third","name":"N3"}`, nil, 201, `"id":"third"`},
		{"PUT", "/Organization?name=n", `{"resourceType":"Organization","name":"N"}`, nil, 412, "several"},
		{"PUT", "/Organization", `{"resourceType":"Organization","name":"N"}`, nil, 400, "condition"},
		{"DELETE", "/Organization?name=n", "", nil, 412, "several"},
		{"DELETE", "/Organization", "", nil, 400, "condition"},
		{"DELETE", "/Organization?name=nobody", "", nil, 200, "0 deleted"},
		{"DELETE", "/Organization?name=n3", "", nil, 200, "1 deleted"},
		{"DELETE", "/Organization?name=n2", "", []string{"Prefer", "return=minimal"}, 204, ""},
		{"GET", "/Organization/third/_history/2", "", nil, 410, "deleted"},
		{"PUT", "/Organization/more", `{"resourceType":"Organization","id":"more","name":"M"}`, []string{"Prefer", "return=OperationOutcome"}, 201, "informational"},
		{"DELETE", "/Organization/more", "", []string{"If-Match", `W/"7"`}, 412, "OperationOutcome"},
		{"DELETE", "/Organization/more", "", []string{"Prefer", "return=OperationOutcome"}, 200, "1 deleted"},
		{"HEAD", "/Organization/other/_history/1", "", nil, 200, ""},
		{"DELETE", "/Organization/other", "", nil, 204, ""},
		{"DELETE", "/Organization/other", "", nil, 204, ""},
		{"DELETE", "/Organization/nobody", "", nil, 204, ""},
		{"DELETE", "/Organization/nobody", "", []string{"Prefer", "return=OperationOutcome"}, 200, "0 deleted"},
		{"PUT", "/Organization?name=nobody", `{"resourceType":"Organization","id":"a_b","name":"N"}`, nil, 400, "hyphens"},
		{"POST", "/Organization", "{", []string{"Authorization", ""}, 401, "login"},
		{"GET", "/Patient/%00", "", nil, 404, "not-found"},
		{"GET", "/Patient/%ff/$everything", "", nil, 404, "not-found"},
		{"GET", "/Organization?name=%00", "", nil, 400, "invalid"},
		{"POST", "/Organization", `{"resourceType":"Organization","name":"D"}`, []string{"Yba-Reason", "a%00b"}, 201, ""},
	} {
		w := call(tt.method, "/fhir/R4"+tt.path, tt.body, tt.headers...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) || tt.method == "HEAD" && w.Body.Len() > 0 {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
	}
}
