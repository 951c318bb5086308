package patch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/fhir"
)

// MediaType is that of a JSON Patch (RFC 6902 section 6).
const MediaType = "application/json-patch+json"

// jsonPatch is a JSON Patch (https://www.rfc-editor.org/rfc/rfc6902).
type jsonPatch []operation

type operation struct {
	op         string
	path, from []string
	value      fhir.Value
}

// ParseJSON reads a JSON Patch; what is no such patch is fault.Invalid.
func ParseJSON(text []byte) (Patch, error) {
	doc, err := fhir.Parse(text)
	if err != nil {
		return nil, err
	}
	if doc.Root().Kind() != fhir.Array {
		return nil, invalid("a JSON Patch is an array of operations")
	}
	var p jsonPatch
	for v := range doc.Root().Items() {
		if len(p) == maxOperations {
			return nil, fault.Newf(fault.TooLarge, "a patch has at most %d operations", maxOperations)
		}
		o, err := readOperation(v)
		if err != nil {
			return nil, fault.Of(err).In(place(len(p)))
		}
		p = append(p, o)
	}
	return p, nil
}

func place(i int) string { return "patch[" + strconv.Itoa(i) + "]" }

func readOperation(v fhir.Value) (operation, error) {
	o := operation{op: v.Get("op").Str(), value: v.Get("value")}
	if !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, o.op) {
		return o, invalid("op is add, remove, replace, move, copy or test").In("op")
	}
	var err error
	if o.path, err = pointer(v.Get("path")); err != nil {
		return o, fault.Of(err).In("path")
	}
	switch o.op {
	case "move", "copy":
		if o.from, err = pointer(v.Get("from")); err != nil {
			return o, fault.Of(err).In("from")
		}
	case "add", "replace", "test":
		if !o.value.Exists() {
			return o, invalid("the operation needs a value").In("value")
		}
	}
	return o, nil
}

// pointer reads a JSON Pointer (RFC 6901).
func pointer(v fhir.Value) ([]string, error) {
	s := v.Str()
	if v.Kind() != fhir.String || s != "" && s[0] != '/' {
		return nil, invalid("a JSON Pointer is expected, such as /name/0/family")
	}
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s[1:], "/")
	for i, p := range parts {
		for j := range len(p) {
			if p[j] == '~' && (j+1 == len(p) || p[j+1] != '0' && p[j+1] != '1') {
				return nil, invalid("in a JSON Pointer ~ is followed by 0 or 1")
			}
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts, nil
}

// Apply carries out the operations one after another.
func (p jsonPatch) Apply(resource fhir.Value) ([]byte, error) {
	t := &jsonTarget{root: newNode(resource)}
	for i, o := range p {
		if err := t.apply(o); err != nil {
			return nil, fault.Of(err).In(place(i))
		}
	}
	return t.root.write(make([]byte, 0, len(resource.Raw())+64)), nil
}

type jsonTarget struct {
	root   *node
	copied int
}

func (t *jsonTarget) apply(o operation) error {
	switch o.op {
	case "add":
		return t.add(o.path, newNode(o.value))
	case "remove":
		_, err := t.remove(o.path)
		return err
	case "replace":
		return t.replace(o.path, newNode(o.value))
	case "move":
		if len(o.path) > len(o.from) && slices.Equal(o.path[:len(o.from)], o.from) {
			return unprocessable("a value cannot be moved into itself").In("path")
		}
		if slices.Equal(o.path, o.from) {
			_, err := t.get(o.from)
			return err
		}
		v, err := t.remove(o.from)
		if err != nil {
			return err
		}
		return t.add(o.path, v)
	case "copy":
		v, err := t.get(o.from)
		if err != nil {
			return err
		}
		text := v.write(nil)
		if t.copied += len(text); t.copied > maxCopied {
			return fault.New(fault.TooLarge, "the operations copy more than 16 MB", nil)
		}
		twin, err := parsed(text)
		if err != nil {
			return err
		}
		return t.add(o.path, twin)
	default: // test
		v, err := t.get(o.path)
		if err != nil {
			return err
		}
		same, err := equal(v, o.value)
		if err == nil && !same {
			// https://hl7.org/fhir/R4/http.html#patch: 422, like every
			// operation that the current version does not allow.
			return unprocessable("the test fails: the value is another one").In("value")
		}
		return err
	}
}

func absent() error {
	return unprocessable("there is nothing at this place of the resource").In("path")
}

// step goes to a member or an item.
func step(n *node, name string) *node {
	if n.kind == fhir.Array {
		i, err := index(name, n.length()-1)
		if err != nil {
			return nil
		}
		return n.item(i)
	}
	return n.member(name)
}

// index reads an array's index: digits without leading zeros, at most limit.
func index(s string, limit int) (int, error) {
	i, err := strconv.Atoi(s)
	if err != nil || i < 0 || i > limit || s != strconv.Itoa(i) {
		return 0, unprocessable("the array has no such place").In("path")
	}
	return i, nil
}

func (t *jsonTarget) get(path []string) (*node, error) {
	n := t.root
	for _, name := range path {
		if n = step(n, name); n == nil {
			return nil, absent()
		}
	}
	return n, nil
}

func (t *jsonTarget) add(path []string, v *node) error {
	if len(path) == 0 {
		t.root = v
		return nil
	}
	last := path[len(path)-1]
	n, err := t.get(path[:len(path)-1])
	if err != nil {
		return err
	}
	switch n.kind {
	case fhir.Object:
		n.put(last, v)
		return nil
	case fhir.Array:
		i := n.length()
		if last != "-" {
			if i, err = index(last, i); err != nil {
				return err
			}
		}
		n.insert(i, v)
		return nil
	default:
		return absent()
	}
}

func (t *jsonTarget) replace(path []string, v *node) error {
	if len(path) == 0 {
		t.root = v
		return nil
	}
	n, i, err := t.place(path)
	if err != nil {
		return err
	}
	n.kids[i].value = v
	return nil
}

func (t *jsonTarget) remove(path []string) (*node, error) {
	if len(path) == 0 {
		return nil, unprocessable("the whole resource cannot be removed by a patch").In("path")
	}
	n, i, err := t.place(path)
	if err != nil {
		return nil, err
	}
	return n.remove(i), nil
}

// place returns the container and the place in it of what is there.
func (t *jsonTarget) place(path []string) (*node, int, error) {
	n, err := t.get(path[:len(path)-1])
	if err != nil {
		return nil, 0, err
	}
	last := path[len(path)-1]
	if n.kind == fhir.Array {
		i, err := index(last, n.length()-1)
		return n, i, err
	}
	if i := n.find(last); i >= 0 {
		return n, i, nil
	}
	return nil, 0, absent()
}
