package records

import (
	"context"
	"slices"
	"strings"

	"github.com/yba-health/yba/pkg/fhir"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// Capabilities returns the CapabilityStatement. Types and search parameters
// are those of the tables that the operations themselves use.
func (r *Records) Capabilities(ctx context.Context, _ *recordsv1.CapabilitiesRequest) (*recordsv1.Resource, error) {
	x, err := r.store.Indexer(ctx)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(`{"resourceType":"CapabilityStatement","status":"active","date":` + fhir.Quote(stamp(r.now())) +
		`,"kind":"instance","software":{"name":"yba records"},"implementation":{"description":"Y Bạ","url":` + fhir.Quote(r.baseOf(ctx)) +
		`},"fhirVersion":"4.0.1","format":["json","application/fhir+json"],"rest":[{"mode":"server","security":{"cors":false,"service":[{"coding":[` +
		`{"system":"http://terminology.hl7.org/CodeSystem/restful-security-service","code":"SMART-on-FHIR"}]}]},"resource":[`)
	for i, typ := range r.defs.Types {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"type":"` + typ + `","interaction":[{"code":"read"},{"code":"vread"},{"code":"update"},{"code":"delete"},` +
			`{"code":"history-instance"},{"code":"history-type"},{"code":"create"},{"code":"search-type"}],` +
			`"versioning":"versioned-update","readHistory":true,"updateCreate":true,"conditionalCreate":true,"conditionalRead":"not-match",` +
			`"conditionalUpdate":false,"conditionalDelete":"not-supported"`)
		r.parameters(&b, x.Number, typ)
		if typ == "Patient" {
			b.WriteString(`,"operation":[{"name":"everything","definition":"http://hl7.org/fhir/OperationDefinition/Patient-everything"}]`)
		}
		b.WriteByte('}')
	}
	b.WriteString(`],"interaction":[{"code":"transaction"},{"code":"batch"},{"code":"history-system"}]}]}`)
	return &recordsv1.Resource{Type: "CapabilityStatement", Body: []byte(b.String()), LastUpdated: stamp(r.now())}, nil
}

func (r *Records) parameters(b *strings.Builder, number func(typ, code string) int16, typ string) {
	all := r.defs.Parameters(typ)
	codes := make([]string, 0, len(all))
	var references []string
	for code, p := range all {
		if number(typ, code) == 0 && code != "_id" && code != "_lastUpdated" {
			continue
		}
		codes = append(codes, code)
		if p.Type == "reference" {
			references = append(references, fhir.Quote(typ+":"+code))
		}
	}
	slices.Sort(codes)
	slices.Sort(references)
	if len(references) > 0 {
		b.WriteString(`,"searchInclude":[` + strings.Join(references, ",") + `]`)
	}
	b.WriteString(`,"searchParam":[`)
	for i, code := range codes {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":"` + code + `","type":"` + all[code].Type + `"}`)
	}
	b.WriteByte(']')
}
