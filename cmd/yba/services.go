package main

import (
	"fmt"
	"slices"

	"github.com/yba-health/yba/pkg/app"
	"github.com/yba-health/yba/services/access"
	"github.com/yba-health/yba/services/consults"
	"github.com/yba-health/yba/services/coverage"
	"github.com/yba-health/yba/services/exchange"
	"github.com/yba-health/yba/services/notices"
	"github.com/yba-health/yba/services/records"
	"github.com/yba-health/yba/services/stations"
)

// gatewayName is the edge; it is no app.Module, for it has no operations.
const gatewayName = "gateway"

// modules are the services in the order of starting; stopping is the reverse.
// Background work tolerates the absence of what starts later.
var modules = []app.Module{
	access.Module,
	records.Module,
	exchange.Module,
	stations.Module,
	consults.Module,
	coverage.Module,
	notices.Module,
}

// choose returns the modules with the given names and whether the gateway is
// among them; no names mean everything.
func choose(names []string) ([]app.Module, bool, error) {
	if len(names) == 0 {
		return modules, true, nil
	}
	var chosen []app.Module
	for _, m := range modules {
		if slices.Contains(names, m.Name) {
			chosen = append(chosen, m)
		}
	}
	gateway := slices.Contains(names, gatewayName)
	for _, n := range names {
		if n != gatewayName && !slices.ContainsFunc(chosen, func(m app.Module) bool { return m.Name == n }) {
			return nil, false, fmt.Errorf("there is no service %q; there are %s", n, serviceNames())
		}
	}
	return chosen, gateway, nil
}

func serviceNames() string {
	s := ""
	for _, m := range modules {
		s += m.Name + ", "
	}
	return s + gatewayName
}
