package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/fhirclient"
	recordsv1 "github.com/yba-health/yba/proto/gen/yba/records/v1"
)

// subscriptionsCommand is for deliveries that failed: it speaks to a running
// suite as an administrator, who is told nothing of patients. tokenSource
// returns an access token for an account.
func subscriptionsCommand(cfg *config.Config, tokenSource func(ctx context.Context, account string) (string, error)) *cobra.Command {
	var o struct{ url, tokenFile, account string }
	cmd := &cobra.Command{
		Use:   "subscriptions",
		Short: "Deliveries to Subscriptions: how they stand, dead letters, sending again",
		Long: "Deliveries to Subscriptions. After 12 failed tries, about half a day, a Subscription is in error and what it\n" +
			"could not be told is a dead letter. When the receiver is mended, resend switches the Subscription on again\n" +
			"and sends what it missed, in order. Nothing of a patient is shown.",
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.url, "url", "", "address of the server (default: the configured one)")
	f.StringVar(&o.tokenFile, "token-file", "", "file with an administrator's access token")
	f.StringVar(&o.account, "as", "", "administrator's account to act as on this machine, instead of a token file")
	call := func(f func(ctx context.Context, c *fhirclient.Client, args []string, out io.Writer) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			token := tokenFrom(o.tokenFile)
			switch {
			case (o.tokenFile == "") == (o.account == ""):
				return errors.New("say who asks, with --as or --token-file")
			case o.account != "":
				token = func() (string, error) { return tokenSource(ctx, o.account) }
			}
			if o.url == "" {
				o.url = cfg.BaseURL()
			}
			c, err := fhirclient.New(fhirclient.Options{Base: o.url, Token: token})
			if err != nil {
				return err
			}
			defer c.Close()
			return f(ctx, c, args, cmd.OutOrStdout())
		}
	}
	var failed bool
	list := &cobra.Command{
		Use:   "list",
		Short: "List Subscriptions with what waits, those with dead letters first",
		Args:  cobra.NoArgs,
		RunE: call(func(ctx context.Context, c *fhirclient.Client, _ []string, out io.Writer) error {
			return listQueues(ctx, c, failed, out)
		}),
	}
	list.Flags().BoolVar(&failed, "failed", false, "only those in error or with dead letters")
	cmd.AddCommand(list, &cobra.Command{
		Use:   "dead-letters ID",
		Short: "List the numbers and times of what a Subscription could not be told",
		Args:  cobra.ExactArgs(1),
		RunE:  call(listDeadLetters),
	}, &cobra.Command{
		Use:     "resend ID [NUMBER…]",
		Short:   "Send dead letters again, all or those numbered; a Subscription in error is switched on",
		Example: "  yba subscriptions resend 4f1c… --as admin\n  yba subscriptions resend 4f1c… 17 18 --as admin",
		Args:    cobra.MinimumNArgs(1),
		RunE: call(func(ctx context.Context, c *fhirclient.Client, args []string, out io.Writer) error {
			req := &recordsv1.SubscriptionReviveRequest{Id: args[0], Resend: true}
			for _, a := range args[1:] {
				n, err := strconv.ParseInt(a, 10, 64)
				if err != nil || n < 1 {
					return fmt.Errorf("%q is no number of a dead letter, such as `yba subscriptions dead-letters` lists them", a)
				}
				req.Numbers = append(req.Numbers, n)
			}
			return revive(ctx, c, req, out)
		}),
	}, &cobra.Command{
		Use:   "on ID",
		Short: "Switch a Subscription in error on again; its dead letters stay",
		Args:  cobra.ExactArgs(1),
		RunE: call(func(ctx context.Context, c *fhirclient.Client, args []string, out io.Writer) error {
			return revive(ctx, c, &recordsv1.SubscriptionReviveRequest{Id: args[0]}, out)
		}),
	})
	return cmd
}

func listQueues(ctx context.Context, c *fhirclient.Client, failed bool, out io.Writer) error {
	x, err := fhirclient.Call[recordsv1.SubscriptionQueuesResponse](ctx, c, "records.SubscriptionQueues", &recordsv1.SubscriptionQueuesRequest{Failed: failed})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tOWNER\tSTATE\tCHANNEL\tHOST\tWAITING\tDEAD\tFAILURES\tLAST SENT")
	for _, q := range x.GetQueues() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", q.GetId(), q.GetOwner(), q.GetStatus(), q.GetChannel(), q.GetHost(),
			q.GetWaiting(), q.GetDead(), q.GetFailures(), q.GetSent())
	}
	return w.Flush()
}

func listDeadLetters(ctx context.Context, c *fhirclient.Client, args []string, out io.Writer) error {
	x, err := fhirclient.Call[recordsv1.SubscriptionQueuesResponse](ctx, c, "records.SubscriptionQueues", &recordsv1.SubscriptionQueuesRequest{Id: args[0]})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tCHANGED")
	for _, q := range x.GetQueues() {
		for _, d := range q.GetDeadLetters() {
			fmt.Fprintf(w, "%d\t%s\n", d.GetNumber(), d.GetTime())
		}
	}
	return w.Flush()
}

func revive(ctx context.Context, c *fhirclient.Client, req *recordsv1.SubscriptionReviveRequest, out io.Writer) error {
	x, err := fhirclient.Call[recordsv1.SubscriptionReviveResponse](ctx, c, "records.SubscriptionRevive", req)
	if err == nil {
		_, err = fmt.Fprintf(out, "%d dead letters wait to be sent again; the Subscription is %s\n", x.GetQueued(), x.GetStatus())
	}
	return err
}
