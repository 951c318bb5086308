package records

import (
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// operations joins the methods with the proto.
func (r *Records) operations() (kit.Table, error) {
	return kit.NewTable(&recordsv1.Records_ServiceDesc,
		kit.Op("Read", r.Read),
		kit.Op("ReadVersion", r.ReadVersion),
		kit.Op("Create", r.Create),
		kit.Op("Update", r.Update),
		kit.Op("Patch", r.Patch),
		kit.Op("Delete", r.Delete),
		kit.Op("History", r.History),
		kit.Op("Search", r.Search),
		kit.Op("Transact", r.Transact),
		kit.Op("Everything", r.Everything),
		kit.Op("Match", r.Match),
		kit.Op("Merge", r.Merge),
		kit.Op("Unmerge", r.Unmerge),
		kit.Op("LastN", r.LastN),
		kit.Op("Meta", r.Meta),
		kit.Op("MetaAdd", r.MetaAdd),
		kit.Op("MetaDelete", r.MetaDelete),
		kit.Op("Validate", r.Validate),
		kit.Op("Capabilities", r.Capabilities, kit.Unaudited),
		kit.Op("SubscriptionStatus", r.SubscriptionStatus),
		kit.Op("SubscriptionEvents", r.SubscriptionEvents),
		kit.Op("SubscriptionToken", r.SubscriptionToken),
		kit.Op("SubscriptionSecret", r.SubscriptionSecret),
		kit.Op("SubscriptionDeadLetters", r.SubscriptionDeadLetters),
		kit.Op("SubscriptionResend", r.SubscriptionResend),
		// Terminology is about nobody.
		kit.Op("Expand", r.Expand, kit.Unaudited),
		kit.Op("Lookup", r.Lookup, kit.Unaudited),
		kit.Op("ValidateCode", r.ValidateCode, kit.Unaudited),
		// Services read the log all day; each of them audits what it shows.
		kit.Op("Changes", r.Changes, kit.Unaudited),
		kit.Op("Indexing", r.Indexing),
		kit.Op("Export", r.Export),
		kit.Op("ExportStatus", r.ExportStatus),
		kit.Op("ExportFile", r.ExportFile),
		kit.Op("ExportCancel", r.ExportCancel),
		kit.Op("Import", r.Import),
	)
}
