package fhirclient

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/yba-health/yba/pkg/fault"
)

// Saved tells where a resource was written.
type Saved struct {
	Type, ID, Version string
}

// Read returns the current version of a resource, as the server sent it.
func (c *Client) Read(ctx context.Context, typ, id string) ([]byte, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, url: c.fhir.JoinPath(typ, id), accept: MediaType})
	return a.body, err
}

// Create posts a resource (R4 http.html#create).
func (c *Client) Create(ctx context.Context, typ string, body []byte) (Saved, error) {
	a, err := c.do(ctx, request{
		method: http.MethodPost, url: c.fhir.JoinPath(typ), body: body,
		contentType: MediaType, accept: MediaType,
	})
	if err != nil {
		return Saved{}, err
	}
	return saved(a.header.Get("Location"))
}

// Update puts a resource; ifMatch is a version id or empty (R4 http.html#update).
func (c *Client) Update(ctx context.Context, typ, id string, body []byte, ifMatch string) (Saved, error) {
	r := request{
		method: http.MethodPut, url: c.fhir.JoinPath(typ, id), body: body,
		contentType: MediaType, accept: MediaType, header: http.Header{},
	}
	if ifMatch != "" {
		r.header.Set("If-Match", `W/"`+ifMatch+`"`)
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return Saved{}, err
	}
	version := strings.Trim(strings.TrimPrefix(a.header.Get("ETag"), "W/"), `"`)
	return Saved{Type: typ, ID: id, Version: version}, nil
}

// saved reads a Location such as "https://host/fhir/R4/Patient/1/_history/1";
// the version may be absent (R4 http.html#create).
func saved(location string) (Saved, error) {
	head, version, _ := strings.Cut(location, "/_history/")
	parts := strings.Split(head, "/")
	if len(parts) < 2 || parts[len(parts)-1] == "" {
		return Saved{}, fault.New(fault.Internal, "the server named no place where the resource was written", nil)
	}
	return Saved{Type: parts[len(parts)-2], ID: parts[len(parts)-1], Version: version}, nil
}

// bundle is what this package reads of a Bundle.
type bundle struct {
	ResourceType string `json:"resourceType"`
	Type         string `json:"type"`
	Total        *int   `json:"total"`
	Link         []struct {
		Relation string `json:"relation"`
		URL      string `json:"url"`
	} `json:"link"`
	Entry []struct {
		FullURL  string          `json:"fullUrl"`
		Resource json.RawMessage `json:"resource"`
		Response *struct {
			Status   string `json:"status"`
			Location string `json:"location"`
		} `json:"response"`
	} `json:"entry"`
}

// Search yields the matching resources, page by page, in the server's order.
// An error ends the sequence.
func (c *Client) Search(ctx context.Context, typ string, query url.Values) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		page := c.fhir.JoinPath(typ)
		page.RawQuery = query.Encode()
		for page != nil {
			a, err := c.do(ctx, request{method: http.MethodGet, url: page, accept: MediaType})
			if err != nil {
				yield(nil, err)
				return
			}
			var b bundle
			if err := json.Unmarshal(a.body, &b); err != nil || b.ResourceType != "Bundle" {
				yield(nil, fault.New(fault.Internal, "the answer to a search is no Bundle", err))
				return
			}
			for _, e := range b.Entry {
				if !yield(e.Resource, nil) {
					return
				}
			}
			if page, err = c.next(page, b); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// next returns the address of the following page, nil after the last. Only
// the link's path and query are used: a server behind a proxy may name itself
// otherwise, and the token must go nowhere else.
func (c *Client) next(at *url.URL, b bundle) (*url.URL, error) {
	for _, l := range b.Link {
		if l.Relation != "next" {
			continue
		}
		u, err := at.Parse(l.URL)
		if err != nil {
			return nil, fault.New(fault.Internal, "the link to the next page is no address", err)
		}
		page := *c.fhir
		page.RawQuery = u.RawQuery
		// What lies below the FHIR base stays as the server gave it.
		if i := strings.Index(u.Path, c.opts.FHIRPath); i >= 0 {
			page.Path = strings.TrimSuffix(c.fhir.Path, c.opts.FHIRPath) + u.Path[i:]
		} else {
			page.Path = u.Path
		}
		if page.String() == at.String() {
			return nil, fault.New(fault.Internal, "the link to the next page leads to the same page", nil)
		}
		return &page, nil
	}
	return nil, nil
}

// Count returns Bundle.total of a search that returns no resources.
func (c *Client) Count(ctx context.Context, typ string, query url.Values) (int, error) {
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	q.Set("_summary", "count")
	u := c.fhir.JoinPath(typ)
	u.RawQuery = q.Encode()
	a, err := c.do(ctx, request{method: http.MethodGet, url: u, accept: MediaType})
	if err != nil {
		return 0, err
	}
	var b bundle
	if err := json.Unmarshal(a.body, &b); err != nil || b.Total == nil {
		return 0, fault.New(fault.Internal, "the answer to a count has no total", err)
	}
	return *b.Total, nil
}

// Transaction posts a transaction bundle. It returns one Saved for each entry;
// an entry's own failure fails the whole, as R4 http.html#transaction says.
func (c *Client) Transaction(ctx context.Context, body []byte) ([]Saved, error) {
	a, err := c.do(ctx, request{method: http.MethodPost, url: c.fhir, body: body, contentType: MediaType, accept: MediaType})
	if err != nil {
		return nil, err
	}
	var b bundle
	if err := json.Unmarshal(a.body, &b); err != nil || b.Type != "transaction-response" {
		return nil, fault.New(fault.Internal, "the answer to a transaction is no transaction-response", err)
	}
	out := make([]Saved, len(b.Entry))
	for i, e := range b.Entry {
		place := fmt.Sprintf("Bundle.entry[%d]", i)
		if e.Response == nil {
			return nil, fault.New(fault.Internal, "the answer holds no response for this entry", nil).In(place)
		}
		n, err := status(e.Response.Status)
		if err != nil || n >= 300 {
			return nil, fault.Newf(classes[n], "the entry was answered with %q", e.Response.Status).In(place)
		}
		if e.Response.Location == "" {
			continue
		}
		if out[i], err = saved(e.Response.Location); err != nil {
			return nil, fault.Of(err).In(place)
		}
	}
	return out, nil
}
