package records

import (
	"github.com/yba-health/yba/pkg/kit"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// Table joins the methods with the proto.
func (o *Operations) Table() (kit.Table, error) {
	return kit.NewTable(&recordsv1.Records_ServiceDesc,
		kit.Op("Read", o.Read),
		kit.Op("ReadVersion", o.ReadVersion),
		kit.Op("Create", o.Create),
		kit.Op("Update", o.Update),
		kit.Op("Patch", o.Patch),
		kit.Op("Delete", o.Delete),
		kit.Op("History", o.History),
		kit.Op("Search", o.Search),
		kit.Op("Transact", o.Transact),
		kit.Op("Everything", o.Everything),
		kit.Op("Match", o.Match),
		kit.Op("Merge", o.Merge),
		kit.Op("Unmerge", o.Unmerge),
		kit.Op("LastN", o.LastN),
		kit.Op("Meta", o.Meta),
		kit.Op("MetaAdd", o.MetaAdd),
		kit.Op("MetaDelete", o.MetaDelete),
		kit.Op("Validate", o.Validate),
		kit.Op("Capabilities", o.Capabilities, kit.Unaudited),
		kit.Op("SubscriptionStatus", o.SubscriptionStatus),
		kit.Op("SubscriptionEvents", o.SubscriptionEvents),
		kit.Op("SubscriptionToken", o.SubscriptionToken),
		kit.Op("SubscriptionSecret", o.SubscriptionSecret),
		kit.Op("SubscriptionDeadLetters", o.SubscriptionDeadLetters),
		kit.Op("SubscriptionResend", o.SubscriptionResend),
		kit.Op("SubscriptionQueues", o.SubscriptionQueues),
		kit.Op("SubscriptionRevive", o.SubscriptionRevive),
		// Terminology is about nobody.
		kit.Op("Expand", o.Expand, kit.Unaudited),
		kit.Op("Lookup", o.Lookup, kit.Unaudited),
		kit.Op("ValidateCode", o.ValidateCode, kit.Unaudited),
		// Services read the log all day; each of them audits what it shows.
		kit.Op("Changes", o.Changes, kit.Unaudited),
		kit.Op("Merges", o.Merges, kit.Unaudited),
		kit.Op("Indexing", o.Indexing),
		kit.Op("Export", o.Export),
		kit.Op("ExportStatus", o.ExportStatus),
		kit.Op("ExportFile", o.ExportFile),
		kit.Op("ExportCancel", o.ExportCancel),
		kit.Op("Import", o.Import),
	)
}
