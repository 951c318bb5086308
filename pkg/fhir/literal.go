package fhir

func (p *parser) word(n int32, w string) error {
	if len(p.src)-p.at < len(w) || string(p.src[p.at:p.at+len(w)]) != w {
		return p.fail(n, "a JSON value is expected")
	}
	p.at += len(w)
	return nil
}

// number reads RFC 8259 section 6: no leading zeros, no plus, digits on both
// sides of the point.
func (p *parser) number(n int32) error {
	if p.src[p.at] == '-' {
		p.at++
	}
	switch {
	case p.at < len(p.src) && p.src[p.at] == '0':
		p.at++
	default:
		if !p.digits() {
			return p.fail(n, "a digit is expected")
		}
	}
	if p.at < len(p.src) && p.src[p.at] == '.' {
		p.at++
		if !p.digits() {
			return p.fail(n, "a digit is expected after the decimal point")
		}
	}
	if p.at < len(p.src) && (p.src[p.at] == 'e' || p.src[p.at] == 'E') {
		p.at++
		if p.at < len(p.src) && (p.src[p.at] == '+' || p.src[p.at] == '-') {
			p.at++
		}
		if !p.digits() {
			return p.fail(n, "a digit is expected in the exponent")
		}
	}
	return nil
}

func (p *parser) digits() bool {
	begun := p.at
	for p.at < len(p.src) && p.src[p.at] >= '0' && p.src[p.at] <= '9' {
		p.at++
	}
	return p.at > begun
}

// text reads a string and returns the offsets of its inside.
func (p *parser) text(n int32) (start, end int32, escaped bool, err error) {
	p.at++
	start = int32(p.at)
	for p.at < len(p.src) {
		switch c := p.src[p.at]; {
		case c == '"':
			end = int32(p.at)
			p.at++
			return start, end, escaped, nil
		case c < 0x20:
			return 0, 0, false, p.fail(n, "a control character in a string must be escaped")
		case c == '\\':
			escaped = true
			if err := p.escape(n); err != nil {
				return 0, 0, false, err
			}
		default:
			p.at++
		}
	}
	return 0, 0, false, p.fail(n, "the JSON text ends within a string")
}

func (p *parser) escape(n int32) error {
	if p.at+1 >= len(p.src) {
		return p.fail(n, "the JSON text ends within a string")
	}
	switch p.src[p.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at += 2
		return nil
	case 'u':
	default:
		return p.fail(n, "an unknown escape in a string")
	}
	r, ok := hex4(p.src[p.at+2:])
	switch {
	case !ok:
		return p.fail(n, "four hexadecimal digits are expected after \\u")
	case r == 0:
		return p.fail(n, "U+0000 is not allowed in a string")
	case r >= 0xDC00 && r < 0xE000:
		return p.fail(n, "half of a surrogate pair in a string")
	}
	p.at += 6
	if r < 0xD800 || r >= 0xDC00 {
		return nil
	}
	if p.at+6 <= len(p.src) && p.src[p.at] == '\\' && p.src[p.at+1] == 'u' {
		if low, ok := hex4(p.src[p.at+2:]); ok && low >= 0xDC00 && low < 0xE000 {
			p.at += 6
			return nil
		}
	}
	return p.fail(n, "half of a surrogate pair in a string")
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			r |= rune(c-'A') + 10
		default:
			return 0, false
		}
	}
	return r, true
}
