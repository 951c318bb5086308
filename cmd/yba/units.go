package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/units"
	stationsv1 "github.com/yba-health/yba/proto/gen/yba/stations/v1"
)

// unitsCommand is `yba units`: the administrative units of an installation.
func unitsCommand(cfg *config.Config) *cobra.Command {
	cmd := &cobra.Command{Use: "units", Short: "Administrative units: provinces, communes, and what became of which"}
	var address, tokenFile, on string
	load := &cobra.Command{
		Use:   "import FILE...",
		Short: "Load CSV files of units and of successions into a running installation",
		Long: `Load CSV files of units and of successions into a running installation.

What a file holds is told by its header:
  code,level,name,kind,parent,valid_from,valid_to   (and name_en)   units
  old_code,new_code,extent                          successions; give the day of the reform with --on

All files are read and checked before anything is sent. Loading a file again changes nothing.
The account behind the token must be an administrator or importer.`,
		Example: "  yba units import --token-file token --on 2025-07-01 units-before.csv units-2025-07.csv successions-2025-07.csv",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			day, err := units.ParseDate(on)
			if err != nil {
				return fmt.Errorf("--on: %w", err)
			}
			all, err := readUnitFiles(files, day)
			if err != nil {
				return err
			}
			if address == "" {
				address = publicAddress(cfg)
			}
			token, err := readToken(tokenFile)
			if err != nil {
				return err
			}
			up := uploader{address: strings.TrimSuffix(address, "/"), token: token, client: &http.Client{Timeout: time.Minute}}
			return up.send(cmd.Context(), all, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	load.Flags().StringVar(&address, "url", "", "where the installation is (default: public-url, or http://localhost and the port)")
	load.Flags().StringVar(&tokenFile, "token-file", "", "file with an access token; - reads it from standard input")
	load.Flags().StringVar(&on, "on", "", "day on which the reform of a file of successions came into force, such as 2025-07-01")
	cmd.AddCommand(load)
	return cmd
}

func publicAddress(cfg *config.Config) string {
	if cfg.PublicURL != "" {
		return cfg.PublicURL
	}
	scheme := "http"
	if cfg.TLSCert != "" {
		scheme = "https"
	}
	_, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		port = "8080"
	}
	return scheme + "://" + net.JoinHostPort("localhost", port)
}

func readToken(file string) (string, error) {
	if file == "" {
		return "", errors.New("give an access token with --token-file: a flag or a variable would show it to other users of this machine")
	}
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<16))
	} else {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, " \r\n\t") {
		return "", fmt.Errorf("%s does not hold a token in one line", file)
	}
	return token, nil
}

func readUnitFiles(names []string, on units.Date) (units.File, error) {
	var all units.File
	for _, name := range names {
		in, err := os.Open(name)
		if err != nil {
			return all, err
		}
		f, err := units.Read(in, on)
		if err = errors.Join(err, in.Close()); err != nil {
			return all, fmt.Errorf("%s: %w", name, err)
		}
		all.Units = append(all.Units, f.Units...)
		all.Successions = append(all.Successions, f.Successions...)
	}
	// Older units first: a unit must have ended before its code is used again.
	slices.SortStableFunc(all.Units, func(a, b units.Unit) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Code, b.Code))
	})
	return all, nil
}

// unitBatch is how many rows one call carries; a call stays well under the
// limit of the JSON API.
const unitBatch = 500

// uploader sends units to a running installation.
type uploader struct {
	address, token string
	client         *http.Client
}

func (u uploader) send(ctx context.Context, all units.File, out, progress io.Writer) error {
	bar := progressbar.NewOptions(len(all.Units)+len(all.Successions),
		progressbar.OptionSetWriter(progress), progressbar.OptionSetDescription("units"), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { _, _ = fmt.Fprintln(progress) }))
	sum := &stationsv1.ImportUnitsResponse{}
	for _, req := range unitBatches(all) {
		answer, err := u.post(ctx, req)
		if err != nil {
			return fmt.Errorf("after %d units and %d successions: %w", sum.GetUnits(), sum.GetSuccessions(), err)
		}
		sum.Units += answer.GetUnits()
		sum.Successions += answer.GetSuccessions()
		sum.Unknown = append(sum.Unknown, answer.GetUnknown()...)
		if err := bar.Add(len(req.GetUnits()) + len(req.GetSuccessions())); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d units and %d successions loaded\n", sum.GetUnits(), sum.GetSuccessions())
	if missing := slices.Compact(slices.Sorted(slices.Values(sum.GetUnknown()))); err == nil && len(missing) > 0 {
		_, err = fmt.Fprintf(out, "%d units are named by successions and in no list: %s\n", len(missing), strings.Join(missing, " "))
	}
	return err
}

// unitBatches parts a file into calls: all units before the first succession,
// which finds its old unit by the day.
func unitBatches(all units.File) []*stationsv1.ImportUnitsRequest {
	var list []*stationsv1.ImportUnitsRequest
	for some := range slices.Chunk(all.Units, unitBatch) {
		req := &stationsv1.ImportUnitsRequest{}
		for _, u := range some {
			req.Units = append(req.Units, &stationsv1.Unit{
				Code: string(u.Code), Level: string(u.Level), Name: u.Name, NameEn: u.NameEn, Kind: u.Kind, Parent: string(u.Parent),
				ValidFrom: u.From.String(), ValidTo: u.To.String(),
			})
		}
		list = append(list, req)
	}
	for some := range slices.Chunk(all.Successions, unitBatch) {
		req := &stationsv1.ImportUnitsRequest{}
		for _, s := range some {
			req.Successions = append(req.Successions, &stationsv1.Succession{
				OldCode: string(s.Old.Code), OldValidFrom: s.Old.From.String(),
				NewCode: string(s.New.Code), NewValidFrom: s.New.From.String(), Extent: string(s.Extent),
			})
		}
		list = append(list, req)
	}
	return list
}

func (u uploader) post(ctx context.Context, req *stationsv1.ImportUnitsRequest) (*stationsv1.ImportUnitsResponse, error) {
	body, err := protojson.Marshal(req)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.address+"/api/stations/v1/ImportUnits", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+u.token)
	resp, err := u.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer; is `yba serve` running? %w", u.address, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var said struct{ Error struct{ Message, At string } }
		if json.Unmarshal(answer, &said) != nil || said.Error.Message == "" {
			return nil, fmt.Errorf("%s answered %s", u.address, resp.Status)
		}
		return nil, fmt.Errorf("%s answered %s: %s", u.address, resp.Status, strings.TrimPrefix(said.Error.At+": "+said.Error.Message, ": "))
	}
	out := &stationsv1.ImportUnitsResponse{}
	// An installation that is newer may say more.
	return out, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(answer, out)
}
