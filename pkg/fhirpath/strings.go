package fhirpath

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// texts are the functions over strings
// (https://hl7.org/fhirpath/N1/#string-manipulation).
func texts() map[string]function {
	return map[string]function{
		"indexOf":     onArg(func(s, a string) ([]item, error) { return one(intItem(runeIndex(s, strings.Index(s, a)))) }),
		"lastIndexOf": onArg(func(s, a string) ([]item, error) { return one(intItem(runeIndex(s, strings.LastIndex(s, a)))) }),
		"startsWith":  onArg(func(s, a string) ([]item, error) { return is(strings.HasPrefix(s, a)) }),
		"endsWith":    onArg(func(s, a string) ([]item, error) { return is(strings.HasSuffix(s, a)) }),
		"contains":    onArg(func(s, a string) ([]item, error) { return is(strings.Contains(s, a)) }),
		"matches":     onArg(matches),
		"matchesFull": onArg(func(s, a string) ([]item, error) { return matches(s, "^(?:"+a+")$") }),
		"encode":      onArg(encode),
		"decode":      onArg(decode),
		"escape":      onArg(escape),
		"unescape":    onArg(unescape),
		"split": onArg(func(s, a string) ([]item, error) {
			var out []item
			for part := range strings.SplitSeq(s, a) {
				out = append(out, textItem(part))
			}
			return out, nil
		}),
		"upper":  on(func(s string) ([]item, error) { return say(strings.ToUpper(s)) }),
		"lower":  on(func(s string) ([]item, error) { return say(strings.ToLower(s)) }),
		"trim":   on(func(s string) ([]item, error) { return say(strings.TrimSpace(s)) }),
		"length": on(func(s string) ([]item, error) { return one(intItem(utf8.RuneCountInString(s))) }),
		"toChars": on(func(s string) ([]item, error) {
			var out []item
			for _, r := range s {
				out = append(out, textItem(string(r)))
			}
			return out, nil
		}),
		"substring":      {min: 1, max: 2, run: substring},
		"replace":        {min: 2, max: 2, run: replace},
		"replaceMatches": {min: 2, max: 2, run: replaceMatches},
		"join":           {max: 1, run: join},
	}
}

// on makes a function of one string.
func on(f func(string) ([]item, error)) function {
	return function{run: func(c *calling) ([]item, error) {
		s, ok, err := c.text()
		if err != nil || !ok {
			return nil, err
		}
		return f(s)
	}}
}

// onArg makes a function of a string and another.
func onArg(f func(s, a string) ([]item, error)) function {
	return function{min: 1, max: 1, run: func(c *calling) ([]item, error) {
		a, has, err := c.textArg(0)
		if err != nil {
			return nil, err
		}
		s, ok, err := c.text()
		if err != nil || !ok || !has {
			return nil, err
		}
		return f(s, a)
	}}
}

func runeIndex(s string, at int) int {
	if at < 0 {
		return -1
	}
	return utf8.RuneCountInString(s[:at])
}

func matches(s, pattern string) ([]item, error) {
	re, err := compiled(pattern)
	if err != nil {
		return nil, err
	}
	return is(re.MatchString(s))
}

func compiled(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("(?s)" + pattern)
	if err != nil || len(pattern) > maxLength {
		return nil, wrong("the regular expression cannot be read")
	}
	return re, nil
}

func substring(c *calling) ([]item, error) {
	start, has, err := c.intArg(0)
	if err != nil {
		return nil, err
	}
	length := 1 << 30
	if len(c.args) > 1 {
		n, ok, err := c.intArg(1)
		if err != nil {
			return nil, err
		}
		if ok {
			length = n
		}
	}
	s, ok, err := c.text()
	if err != nil || !ok || !has {
		return nil, err
	}
	r := []rune(s)
	if start < 0 || start >= len(r) {
		return nil, nil
	}
	return say(string(r[start:min(len(r), start+max(length, 0))]))
}

func replace(c *calling) ([]item, error) {
	old, ok, err := c.textArg(0)
	if err != nil {
		return nil, err
	}
	with, ok2, err := c.textArg(1)
	if err != nil {
		return nil, err
	}
	s, ok3, err := c.text()
	if err != nil || !ok || !ok2 || !ok3 {
		return nil, err
	}
	if (strings.Count(s, old)+1)*(len(with)+1)+len(s) > maxText {
		return nil, wrong("a string is too long")
	}
	return say(strings.ReplaceAll(s, old, with))
}

func replaceMatches(c *calling) ([]item, error) {
	pattern, ok, err := c.textArg(0)
	if err != nil {
		return nil, err
	}
	with, ok2, err := c.textArg(1)
	if err != nil {
		return nil, err
	}
	s, ok3, err := c.text()
	if err != nil || !ok || !ok2 || !ok3 {
		return nil, err
	}
	if pattern == "" {
		return say(s)
	}
	re, err := compiled(pattern)
	if err != nil {
		return nil, err
	}
	// Each match may bring in as much as the whole string.
	if (len(s)+1)*(len(s)*strings.Count(with, "$")+len(with)+1) > 64*maxText {
		return nil, wrong("a string is too long")
	}
	return say(re.ReplaceAllString(s, with))
}

func join(c *calling) ([]item, error) {
	between := ""
	if len(c.args) > 0 {
		var err error
		if between, _, err = c.textArg(0); err != nil {
			return nil, err
		}
	}
	if len(c.input) == 0 {
		return nil, nil
	}
	var parts []string
	size := 0
	for _, i := range c.input {
		if i.kind != characters {
			return nil, wrong("join is called on strings")
		}
		parts = append(parts, i.s)
		if size += len(i.s) + len(between); size > maxText {
			return nil, wrong("a string is too long")
		}
	}
	return say(strings.Join(parts, between))
}

func encode(s, format string) ([]item, error) {
	switch format {
	case "base64":
		return say(base64.StdEncoding.EncodeToString([]byte(s)))
	case "urlbase64":
		return say(base64.URLEncoding.EncodeToString([]byte(s)))
	case "hex":
		return say(hex.EncodeToString([]byte(s)))
	}
	return nil, nil
}

func decode(s, format string) ([]item, error) {
	var out []byte
	var err error
	switch format {
	case "base64":
		out, err = base64.StdEncoding.DecodeString(s)
	case "urlbase64":
		out, err = base64.URLEncoding.DecodeString(s)
	case "hex":
		out, err = hex.DecodeString(s)
	default:
		return nil, nil
	}
	if err != nil || !utf8.Valid(out) {
		return nil, wrong("the text is not %s", format)
	}
	return say(string(out))
}

func escape(s, target string) ([]item, error) {
	switch target {
	case "html":
		return say(strings.NewReplacer("&#34;", "&quot;").Replace(html.EscapeString(s)))
	case "json":
		b, err := json.Marshal(s)
		if err != nil {
			return nil, wrong("the text cannot be written as JSON")
		}
		quoted := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
		return say(quoted[1 : len(quoted)-1])
	}
	return nil, nil
}

func unescape(s, target string) ([]item, error) {
	switch target {
	case "html":
		return say(html.UnescapeString(s))
	case "json":
		// A quotation mark may stand unescaped.
		s = strings.ReplaceAll(strings.ReplaceAll(s, `\"`, `"`), `"`, `\"`)
		var out string
		if json.Unmarshal([]byte(`"`+s+`"`), &out) != nil {
			return nil, wrong("the text is not escaped as in JSON")
		}
		return say(out)
	}
	return nil, nil
}
