package rest

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/yba-health/yba/services/records/caller"
)

// The parts of an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0).
type (
	openPath      map[string]*openOperation // by method in small letters
	openOperation struct {
		Summary    string                  `json:"summary"`
		Tags       []string                `json:"tags,omitempty"`
		Parameters []openParameter         `json:"parameters,omitempty"`
		Body       map[string]any          `json:"requestBody,omitempty"`
		Responses  map[string]openResponse `json:"responses"`
	}
	openParameter struct {
		Name        string         `json:"name"`
		In          string         `json:"in"`
		Required    bool           `json:"required,omitempty"`
		Description string         `json:"description,omitempty"`
		Schema      map[string]any `json:"schema"`
	}
	openResponse struct {
		Description string         `json:"description"`
		Content     map[string]any `json:"content,omitempty"`
	}
)

var inPath = regexp.MustCompile(`\{(\w+)\}`)

// openAPI describes the FHIR face: a path for each route, and for each type
// the search with its own parameters.
func (d *Description) openAPI(ctx context.Context, number func(typ, code string) int16) ([]byte, error) {
	paths := map[string]openPath{}
	add := func(path, method string, op *openOperation) {
		if paths[path] == nil {
			paths[path] = openPath{}
		}
		paths[path][strings.ToLower(method)] = op
	}
	for _, row := range routes() {
		op := described(row)
		for _, m := range inPath.FindAllStringSubmatch(row.path, -1) {
			schema := map[string]any{"type": "string"}
			if m[1] == "type" {
				schema["enum"] = d.Definitions.Types
			}
			op.Parameters = append(op.Parameters, openParameter{Name: m[1], In: "path", Required: true, Schema: schema})
		}
		for _, p := range row.parameters {
			op.Parameters = append(op.Parameters, openParameter{Name: p[0], In: "query", Description: p[1], Schema: map[string]any{"type": "string"}})
		}
		add(row.path, row.method, op)
		if row.path != "/{type}" || row.code != "search-type" {
			continue
		}
		for _, typ := range d.Definitions.Types {
			search := described(row)
			search.Summary, search.Tags = "Search "+typ, []string{typ}
			for _, code := range d.offered(number, typ) {
				search.Parameters = append(search.Parameters, openParameter{
					Name: code, In: "query", Description: d.Definitions.Parameters(typ)[code].Type, Schema: map[string]any{"type": "string"},
				})
			}
			add("/"+typ, row.method, search)
		}
	}
	return json.Marshal(map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "Y Bạ records, FHIR R4", "version": "4.0.1", "description": "Every answer with a status of 400 or more is an OperationOutcome."},
		"servers": []any{map[string]any{"url": caller.Base(ctx, d.Base)}},
		"paths":   paths,
		"components": map[string]any{
			"securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}},
			"schemas": map[string]any{"Resource": map[string]any{
				"type": "object", "required": []string{"resourceType"}, "properties": map[string]any{"resourceType": map[string]any{"type": "string"}},
			}},
		},
		"security": []any{map[string]any{"bearer": []any{}}},
	})
}

func described(row route) *openOperation {
	resource := map[string]any{fhirJSON: map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Resource"}}}
	op := &openOperation{
		Summary: row.summary,
		Responses: map[string]openResponse{
			"2XX": {Description: "done", Content: resource}, "4XX": {Description: "refused: an OperationOutcome", Content: resource},
			"5XX": {Description: "failed: an OperationOutcome", Content: resource},
		},
	}
	switch {
	case strings.HasSuffix(row.path, "/_search"):
		op.Body = map[string]any{"content": map[string]any{"application/x-www-form-urlencoded": map[string]any{"schema": map[string]any{"type": "object"}}}}
	case row.method == "POST" || row.method == "PUT" || row.method == "PATCH":
		op.Body = map[string]any{"content": resource}
	}
	return op
}
