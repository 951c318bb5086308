package postgres

import "strconv"

// array builds PostgreSQL's text form of an array, which costs less than
// reflection over a slice.
type array struct{ b []byte }

func (a *array) sep() {
	if len(a.b) == 0 {
		a.b = append(a.b, '{')
	} else {
		a.b = append(a.b, ',')
	}
}

func (a *array) int(n int64) {
	a.sep()
	a.b = strconv.AppendInt(a.b, n, 10)
}

func (a *array) text(s string) {
	a.sep()
	a.b = append(a.b, '"')
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' {
			a.b = append(a.b, '\\')
		}
		a.b = append(a.b, s[i])
	}
	a.b = append(a.b, '"')
}

func (a *array) arg() string {
	if len(a.b) == 0 {
		return "{}"
	}
	return string(a.b) + "}"
}
