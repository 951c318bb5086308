package guard

import (
	"sync"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
)

// decisions keeps answers of access for as long as access allowed.
type decisions struct {
	mu   sync.RWMutex
	kept map[decisionKey]keptDecision
}

// decisionKey is what a decision depends on; a principal is named by its
// account, session and acting service.
type decisionKey struct{ token, account, session, service, operation string }

type keptDecision struct {
	decision *accessv1.Decision
	until    time.Time
}

const maxDecisions = 50_000

func newDecisions() *decisions { return &decisions{kept: map[decisionKey]keptDecision{}} }

func keyOf(req *accessv1.AuthorizeRequest) decisionKey {
	p := req.GetPrincipal()
	return decisionKey{req.GetToken(), p.GetAccount(), p.GetSession(), p.GetService(), req.GetOperation()}
}

func (d *decisions) get(req *accessv1.AuthorizeRequest) *accessv1.Decision {
	d.mu.RLock()
	k, ok := d.kept[keyOf(req)]
	d.mu.RUnlock()
	if !ok || time.Now().After(k.until) {
		return nil
	}
	return k.decision
}

func (d *decisions) put(req *accessv1.AuthorizeRequest, v *accessv1.Decision) {
	if v.GetKeepMs() <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.kept) >= maxDecisions {
		clear(d.kept)
	}
	d.kept[keyOf(req)] = keptDecision{v, time.Now().Add(time.Duration(v.GetKeepMs()) * time.Millisecond)}
}

func (d *decisions) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.kept)
}
