package access

import (
	"context"
	"time"

	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/account"
)

// OpenAccount opens an account for whoever holds the database: the commands
// on the machine, which make the first administrator. No policy is asked.
func OpenAccount(ctx context.Context, store Store, req *accessv1.CreateAccountRequest, now func() time.Time) (*accessv1.Account, string, error) {
	hasher, err := account.NewHasher()
	if err != nil {
		return nil, "", err
	}
	a, code, err := account.NewDoor(store, hasher, now).Add(ctx, newAccount(req), req.GetPassword())
	if err != nil {
		return nil, "", err
	}
	return message(a), code, nil
}

func newAccount(req *accessv1.CreateAccountRequest) account.Account {
	return account.Account{
		Username: req.GetUsername(), Name: req.GetName(), Roles: req.GetRoles(), Patient: req.GetPatient(),
		Practitioner: req.GetPractitioner(), Communes: req.GetCommunes(), Facility: req.GetFacility(),
	}
}
