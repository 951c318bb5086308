package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/yba-health/yba/pkg/config"
	"github.com/yba-health/yba/pkg/obs"
	"github.com/yba-health/yba/pkg/pg"
	"github.com/yba-health/yba/services/records/postgres"
	"github.com/yba-health/yba/services/records/terminology"
	"github.com/yba-health/yba/services/records/terminology/load"
	termstore "github.com/yba-health/yba/services/records/terminology/postgres"
)

// terminologyCommand is `yba terminology`: the code systems of an installation.
func terminologyCommand(cfg *config.Config) *cobra.Command {
	cmd := &cobra.Command{Use: "terminology", Short: "Code systems: ICD-10 with Vietnamese names, LOINC, UCUM and others"}
	var o terminologyImport
	load := &cobra.Command{
		Use:   "import KIND FILE",
		Short: "Load a version of a code system; until it is there as a whole, the one before answers",
		Long: `Load a version of a code system into the database. Until it is there as a whole, the one before
answers; loading the same file again changes nothing. A server that runs uses it at once.

  icd10       CSV or TSV of the Ministry of Health's table: mã bệnh and tên bệnh (or code and name_vi),
              and where there are any mã/tên chương, nhóm, nhóm phụ, loại; disease name (name_en)
  loinc       Loinc.csv of the release; --names vi=FILE adds a linguistic variant
  ucum        ucum-essence.xml, or a CSV with code, name and name_vi
  codesystem  a FHIR CodeSystem (JSON) whose content is complete

The licences of these code systems are yours to keep.`,
		Example: "  yba terminology import icd10 icd10.csv --release 2026-01-01\n  yba terminology import loinc Loinc.csv --release 2.78 --names vi=viVN.csv",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.kind, o.file = args[0], args[1]
			return withTerminology(cmd.Context(), cfg, func(ctx context.Context, db *sql.DB) error {
				return o.run(ctx, db, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	load.Flags().StringVar(&o.release, "release", "", "version of the file, such as 2.78; a CodeSystem tells its own")
	load.Flags().StringArrayVar(&o.names, "names", nil, "a linguistic variant of LOINC: its language and file, such as vi=viVN.csv")
	list := &cobra.Command{
		Use:   "list",
		Short: "List what was imported",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTerminology(cmd.Context(), cfg, func(ctx context.Context, db *sql.DB) error {
				return listTerminology(ctx, db, cmd.OutOrStdout())
			})
		},
	}
	cmd.AddCommand(load, list)
	return cmd
}

// withTerminology opens the tables of records and brings them up to date.
func withTerminology(ctx context.Context, cfg *config.Config, f func(context.Context, *sql.DB) error) (err error) {
	log, err := obs.Logger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return err
	}
	dsn, stop, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	db, err := pg.Open(dsn, "command", 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := pg.Migrate(ctx, db, "records", postgres.Migrations()); err != nil {
		return err
	}
	return f(ctx, db)
}

// terminologyImport is one import.
type terminologyImport struct {
	kind, file, release string
	names               []string
}

func (o *terminologyImport) run(ctx context.Context, db *sql.DB, out, status io.Writer) error {
	digest := sha256.New()
	names := map[string][]terminology.Designation{}
	for _, n := range o.names {
		language, file, ok := strings.Cut(n, "=")
		if !ok || language == "" || o.kind != "loinc" {
			return errors.New("--names takes a language and a file of LOINC, such as vi=viVN.csv")
		}
		fmt.Fprintln(digest, language)
		err := reading(file, func(in io.Reader) error { return load.LOINCNames(io.TeeReader(in, digest), language, names) })
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	// The file is read twice: the transaction needs to know first whether it
	// was loaded already.
	if err := reading(o.file, func(in io.Reader) error { _, err := io.Copy(digest, in); return err }); err != nil {
		return err
	}
	return reading(o.file, func(in io.Reader) error {
		head, concepts, err := load.Open(o.kind, o.release, in, names)
		if err != nil {
			return fmt.Errorf("%s: %w", o.file, err)
		}
		fmt.Fprint(digest, head.URL, "\n", head.Version)
		begin, said := time.Now(), time.Now()
		done, err := termstore.New(db, nil).Load(ctx, termstore.Load{
			Head: head, Source: "import", Digest: digest.Sum(nil), Strict: o.kind != "codesystem",
			Progress: func(n int) {
				if time.Since(said) >= time.Second {
					said = time.Now()
					fmt.Fprintf(status, "%d concepts\n", n)
				}
			},
		}, concepts)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w; nothing was changed", o.file, err)
		case done.Unchanged:
			_, err = fmt.Fprintf(out, "%s version %s is there already, with %d concepts; nothing was changed\n", head.URL, head.Version, done.Concepts)
		default:
			_, err = fmt.Fprintf(out, "%s version %s: %d concepts in %s\n", head.URL, head.Version, done.Concepts, round(time.Since(begin)))
		}
		return err
	})
}

func reading(file string, f func(io.Reader) error) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	return errors.Join(f(in), in.Close())
}

func listTerminology(ctx context.Context, db *sql.DB, out io.Writer) error {
	list, err := termstore.New(db, nil).Imported(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "system\tversion\tconcepts\tloaded")
	for _, x := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", x.URL, x.Version, x.Concepts, x.Loaded.Local().Format(time.DateTime))
	}
	return w.Flush()
}
