package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fault"
	"github.com/yba-health/yba/pkg/vitext"
	accessv1 "github.com/yba-health/yba/proto/gen/yba/access/v1"
	"github.com/yba-health/yba/services/access/account"
	"github.com/yba-health/yba/services/access/postgres"
)

func userCommand(cfg *config.Config) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Accounts: create, list, change the password, disable"}
	cmd.AddCommand(userCreate(cfg), userPasswd(cfg), userDisable(cfg), userList(cfg))
	return cmd
}

func userCreate(cfg *config.Config) *cobra.Command {
	var req accessv1.CreateAccountRequest
	var ask bool
	cmd := &cobra.Command{
		Use:   "create USERNAME --name NAME --role ROLE",
		Short: "Open an account; the first administrator is made this way",
		Long: "Open an account. Without --password a one-time code is printed, with which the person sets a password on the\n" +
			"sign-in page (Kích hoạt bằng mã) within seven days.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Username = args[0]
			if ask {
				var err error
				if req.Password, err = readPassword(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			return withAccounts(cmd.Context(), cfg, func(ctx context.Context, store *postgres.Store) error {
				a, code, err := createIn(ctx, store, &req)
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				fmt.Fprintf(out, "account %s opened for %s\n", a.GetUsername(), a.GetName())
				if code != "" {
					fmt.Fprintf(out, "activation code: %s-%s (once, until %s)\n", code[:4], code[4:],
						time.Now().Add(account.ActivationLife).Format("2006-01-02 15:04"))
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&req.Name, "name", "", "name that people see")
	f.StringSliceVar(&req.Roles, "role", nil, "role, repeatable: "+strings.Join(account.Roles, ", "))
	f.StringVar(&req.Patient, "patient", "", "id of the Patient the account belongs to")
	f.StringVar(&req.Practitioner, "practitioner", "", "id of the Practitioner")
	f.StringSliceVar(&req.Communes, "commune", nil, "commune a nurse serves, code and date, repeatable: 95012@2025-07-01")
	f.StringVar(&req.Facility, "facility", "", "id of the Organization")
	f.BoolVar(&ask, "password", false, "ask for a password, or read it from standard input")
	return cmd
}

func userPasswd(cfg *config.Config) *cobra.Command {
	return &cobra.Command{
		Use:   "passwd USERNAME",
		Short: "Set a password, asked for or read from standard input; all sessions end",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return withAccounts(cmd.Context(), cfg, func(ctx context.Context, store *postgres.Store) error {
				a, err := findAccount(ctx, store, args[0])
				if err != nil {
					return err
				}
				hasher, err := account.NewHasher()
				if err != nil {
					return err
				}
				if err := account.NewDoor(store, hasher, time.Now).SetPassword(ctx, a, password); err != nil {
					return err
				}
				if err := store.EndSessions(ctx, a.ID, "", "password changed", time.Now()); err != nil {
					return err
				}
				return noteCommand(ctx, store, "access.SetPassword", a, "")
			})
		},
	}
}

func userDisable(cfg *config.Config) *cobra.Command {
	return &cobra.Command{
		Use:   "disable USERNAME",
		Short: "Close an account: all sessions end at once, nobody signs in with it again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), cfg, func(ctx context.Context, store *postgres.Store) error {
				a, err := findAccount(ctx, store, args[0])
				if err != nil {
					return err
				}
				now := time.Now()
				if err := store.DisableAccount(ctx, a.ID, now); err != nil {
					return err
				}
				if err := store.EndSessions(ctx, a.ID, "", "account disabled", now); err != nil {
					return err
				}
				return noteCommand(ctx, store, "access.DisableAccount", a, "")
			})
		},
	}
}

// listLimit bounds what `yba user list` prints.
const listLimit = 1000

func userList(cfg *config.Config) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "list [PART OF A NAME]",
		Short: "List accounts, found with or without tone marks",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withAccounts(cmd.Context(), cfg, func(ctx context.Context, store *postgres.Store) error {
				all, err := store.Accounts(ctx, vitext.Fold(strings.Join(args, " ")), role, listLimit)
				if err != nil {
					return err
				}
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "USERNAME\tNAME\tROLES\tCOMMUNES\tCREATED\tSTATE")
				for _, a := range all {
					state := "open"
					if !a.Disabled.IsZero() {
						state = "disabled " + a.Disabled.Format(time.DateOnly)
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Username, a.Name, strings.Join(a.Roles, ","),
						strings.Join(a.Communes, ","), a.Created.Format(time.DateOnly), state)
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "only accounts with this role")
	return cmd
}

func findAccount(ctx context.Context, store *postgres.Store, username string) (account.Account, error) {
	a, _, err := store.AccountByUsername(ctx, account.Username(username))
	if fault.Is(err, fault.NotFound) {
		return a, fmt.Errorf("there is no account %q: `yba user list` shows those there are", username)
	}
	return a, err
}

// readPassword asks twice at a terminal, without showing it, and else reads
// one line.
func readPassword(in io.Reader, ask io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		var typed [2]string
		for i, prompt := range []string{"Password: ", "Once more: "} {
			fmt.Fprint(ask, prompt)
			b, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(ask)
			if err != nil {
				return "", err
			}
			typed[i] = string(b)
		}
		if typed[0] != typed[1] {
			return "", errors.New("the two passwords are not the same")
		}
		return typed[0], nil
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
