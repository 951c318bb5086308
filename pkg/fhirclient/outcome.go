package fhirclient

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/yba-health/yba/pkg/fault"
)

// outcome is what this package reads of an OperationOutcome
// (R4 operationoutcome.html) and of the suite's own JSON error.
type outcome struct {
	ResourceType string `json:"resourceType"`
	Issue        []struct {
		Severity    string `json:"severity"`
		Code        string `json:"code"`
		Diagnostics string `json:"diagnostics"`
		Details     struct {
			Text string `json:"text"`
		} `json:"details"`
		Expression []string `json:"expression"`
		Location   []string `json:"location"`
	} `json:"issue"`
	Error struct {
		Class   string `json:"class"`
		Message string `json:"message"`
		At      string `json:"at"`
	} `json:"error"`
}

var classes = map[int]fault.Class{
	http.StatusBadRequest: fault.Invalid, http.StatusUnauthorized: fault.Unauthenticated,
	http.StatusForbidden: fault.Forbidden, http.StatusNotFound: fault.NotFound, http.StatusMethodNotAllowed: fault.Invalid,
	http.StatusConflict: fault.Conflict, http.StatusGone: fault.Gone, http.StatusPreconditionFailed: fault.Precondition,
	http.StatusRequestEntityTooLarge: fault.TooLarge, http.StatusUnsupportedMediaType: fault.Invalid,
	http.StatusUnprocessableEntity: fault.Unprocessable, http.StatusTooManyRequests: fault.Limited,
	http.StatusBadGateway: fault.Unavailable, http.StatusServiceUnavailable: fault.Unavailable,
	http.StatusGatewayTimeout: fault.Unavailable, http.StatusNotModified: fault.NotModified,
}

// errorOf makes of an answer the error it stands for.
func errorOf(a answer) error {
	class := classes[a.status]
	var o outcome
	if json.Unmarshal(a.body, &o) == nil {
		if o.ResourceType == "OperationOutcome" {
			if err := o.err(class); err != nil {
				return err
			}
		}
		if o.Error.Class != "" {
			for _, c := range classes {
				if c.String() == o.Error.Class {
					class = c
				}
			}
			return within(fault.New(class, o.Error.Message, nil), o.Error.At)
		}
	}
	return fault.Newf(class, "the server answered %d %s", a.status, http.StatusText(a.status))
}

// err returns the first issue that is an error, with its place.
func (o *outcome) err(class fault.Class) error {
	for _, i := range o.Issue {
		if i.Severity != "error" && i.Severity != "fatal" {
			continue
		}
		message := cmp.Or(i.Diagnostics, i.Details.Text, i.Code, "the server gave no reason")
		at := ""
		if len(i.Expression) > 0 {
			at = i.Expression[0]
		} else if len(i.Location) > 0 {
			at = i.Location[0]
		}
		return within(fault.New(class, message, nil), at)
	}
	return nil
}

func within(e *fault.Error, at string) *fault.Error {
	if at == "" {
		return e
	}
	return e.In(at)
}

var entryPlace = regexp.MustCompile(`\bentry\[(\d+)\]`)

// EntryOf returns the index of the bundle's entry that err is about, and -1
// when it names none.
func EntryOf(err error) int {
	m := entryPlace.FindStringSubmatch(fault.Of(err).At)
	if m == nil {
		return -1
	}
	n, convErr := strconv.Atoi(m[1])
	if convErr != nil {
		return -1
	}
	return n
}

// status parses a bundle response's status, "201 Created".
func status(s string) (int, error) {
	if len(s) < 3 {
		return 0, fmt.Errorf("the status %q is no HTTP status", s)
	}
	return strconv.Atoi(s[:3])
}
