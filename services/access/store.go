package access

import (
	"github.com/yba-health/yba/services/access/audit"
	"github.com/yba-health/yba/services/access/merge"
	"github.com/yba-health/yba/services/access/openid"
	"github.com/yba-health/yba/services/access/relation"
)

// Store keeps accounts, sign-ins, relations and the audit log. The contracts
// of its parts stand beside the nouns they keep.
type Store interface {
	openid.Store
	relation.Store
	merge.Store
	audit.Store
}
