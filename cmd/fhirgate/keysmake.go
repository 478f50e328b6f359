package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fhirgate/gateway/adminapi"
	"fhirgate/gateway/keys"
	"fhirgate/gateway/keys/record"
	"fhirgate/policies"
)

func newKeysCreate() *cobra.Command {
	var wanted adminapi.NewKey
	var life time.Duration
	var kind, jwksFile string
	var certificates []string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key, a client or another consumer, and show its secret, once",
		Long: `Make a consumer of one of four kinds, and show its secret, once:

  key          (default) sends the secret as its API key
  client       gets OAuth 2.0 tokens, with its secret, or with keys of its own
               (SMART Backend Services): --jwks-file or --jwks-url, and
               --no-secret when it needs none
  external     is known to an outside identity provider: --issuer and --subject
               as in the tokens of that
  certificate  shows a client certificate and nothing else: --certificate

Certificates may be registered with any kind.`,
		Example: `  fhirgate keys create --name pacs-backend --plan screening-day --expires-in 2160h
  fhirgate keys create --name pacs-backend --plan screening-day --allow-from 192.0.2.7 --allow-from 2001:db8::/32
  fhirgate keys create --name pacs-harbor --plan screening-day --hospital harbor
  fhirgate keys create --name viewer --plan screening-day --kind client
  fhirgate keys create --name analyser --plan screening-day --kind client --no-secret --jwks-url https://analyser.example/jwks.json
  fhirgate keys create --name portal --plan screening-day --kind external --issuer https://idp.example --subject portal-backend
  fhirgate keys create --name modality --plan screening-day --kind certificate --certificate modality.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(record.Kinds(), keys.Kind(kind)) {
				return fmt.Errorf("there is no kind %q: --kind is one of key, client, external and certificate", kind)
			}
			wanted.Kind, wanted.Life = keys.Kind(kind), adminapi.Duration(life)
			var err error
			if wanted.JWKS, err = readJWKS(jwksFile); err != nil {
				return err
			}
			for _, given := range certificates {
				text, err := readCertificate(given)
				if err != nil {
					return err
				}
				wanted.Certificates = append(wanted.Certificates, text)
			}
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			issued, err := client.Create(cmd.Context(), wanted)
			if err != nil {
				return err
			}
			return printIssued(cmd, issued)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&wanted.Name, "name", "", "who uses the key, for people")
	flags.StringVar(&wanted.Plan, "plan", "", "plan of the key: a file in policies/")
	flags.StringArrayVar(&wanted.Hospitals, "hospital", nil, "id of a hospital that the key is narrowed to; may be repeated (default all that the plan reaches)")
	flags.StringVar(&kind, "kind", string(keys.KindKey), "key, client, external or certificate")
	flags.DurationVar(&life, "expires-in", 0, "life of the key, such as 2160h for 90 days; 0 = for ever")
	flags.StringArrayVar(&wanted.AllowFrom, "allow-from", nil, "network (CIDR) or address that may use the key; may be repeated (default all)")
	flags.BoolVar(&wanted.NoSecret, "no-secret", false, "make no secret: the client signs with its own keys")
	flags.StringVar(&jwksFile, "jwks-file", "", "file with the client's public keys, a JWK set")
	flags.StringVar(&wanted.JWKSURL, "jwks-url", "", "https URL of the client's public keys, a JWK set")
	flags.StringArrayVar(&certificates, "certificate", nil, "client certificate: a PEM file, or its SHA-256 fingerprint; may be repeated")
	flags.StringVar(&wanted.Issuer, "issuer", "", "iss of an outside identity provider's tokens")
	flags.StringVar(&wanted.Subject, "subject", "", "sub of an outside identity provider's tokens")
	_ = cmd.MarkFlagRequired("name") // both flags exist
	_ = cmd.MarkFlagRequired("plan")
	return cmd
}

// Values that end a list: of --allow-from, and of --hospital.
const (
	everywhere = "everywhere"
	everyOne   = policies.AllHospitals // no id, as "all" might be
)

func newKeysUpdate() *cobra.Command {
	var made struct {
		name, plan, jwksFile, jwksURL, certificate, removed string
		allowFrom, hospitals                                []string
		life, grace                                         time.Duration
	}
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "Change a key, on all nodes within a second",
		Long: `Change a key, client or other consumer that is active, on all nodes within a
second. What no flag names stays as it is; the secrets do in any case.`,
		Example: `  fhirgate keys update key_abc --plan trial
  fhirgate keys update key_abc --allow-from 192.0.2.0/24 --allow-from 2001:db8::7
  fhirgate keys update key_abc --allow-from everywhere
  fhirgate keys update key_abc --hospital harbor --hospital lakeside
  fhirgate keys update key_abc --hospital '*'
  fhirgate keys update key_abc --expires-in 0
  fhirgate keys update key_abc --certificate new.pem --grace 48h     # the old one works on for two days
  fhirgate keys update key_abc --remove-certificate 3F:A2:…
  fhirgate keys update key_abc --jwks-file jwks.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			given := cmd.Flags().Changed
			wanted := adminapi.KeyChanges{
				Name: whether(given("name"), made.name), Plan: whether(given("plan"), made.plan), JWKSURL: whether(given("jwks-url"), made.jwksURL),
				Life: whether(given("expires-in"), adminapi.Duration(made.life)), CertificateGrace: whether(given("grace"), adminapi.Duration(made.grace)),
				RemoveCertificate: made.removed,
			}
			if given("allow-from") {
				wanted.AllowFrom = listOrNone(made.allowFrom, everywhere)
			}
			if given("hospital") {
				wanted.Hospitals = listOrNone(made.hospitals, everyOne)
			}
			var err error
			if wanted.JWKS, err = readJWKS(made.jwksFile); err != nil {
				return err
			}
			if wanted.AddCertificate, err = readCertificate(made.certificate); err != nil {
				return err
			}
			if !changes(cmd) {
				return errors.New("nothing is to be changed: name it by a flag, see fhirgate keys update --help")
			}
			client, err := adminClient(cmd)
			if err != nil {
				return err
			}
			key, err := client.Update(cmd.Context(), args[0], wanted)
			if err != nil {
				return err
			}
			if err := printKeys(cmd, key, key); err != nil || asJSON(cmd) {
				return err
			}
			printDetails(cmd.OutOrStdout(), key)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&made.name, "name", "", "who uses the key, for people")
	flags.StringVar(&made.plan, "plan", "", "plan of the key: a file in policies/")
	flags.StringArrayVar(&made.hospitals, "hospital", nil, `id of a hospital that the key is narrowed to, in place of those of before; may be repeated; "*" narrows it no more`)
	flags.DurationVar(&made.life, "expires-in", 0, "life of the key from now on, such as 2160h for 90 days; 0 = for ever")
	flags.StringArrayVar(&made.allowFrom, "allow-from", nil, `network (CIDR) or address that may use the key, in place of those of before; may be repeated; "everywhere" allows all`)
	flags.StringVar(&made.jwksFile, "jwks-file", "", "file with the client's public keys, a JWK set, in place of those of before")
	flags.StringVar(&made.jwksURL, "jwks-url", "", `https URL of the client's public keys, in place of those of before; "" = none any more`)
	flags.StringVar(&made.certificate, "certificate", "", "further client certificate: a PEM file, or its SHA-256 fingerprint")
	flags.DurationVar(&made.grace, "grace", 0, "how long the other certificates work on when --certificate takes their place (default as before)")
	flags.StringVar(&made.removed, "remove-certificate", "", "SHA-256 fingerprint of the certificate to end")
	return cmd
}

// changes reports whether a flag of an update names something to change.
func changes(cmd *cobra.Command) bool {
	found := false
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) { found = found || flag.Changed })
	return found
}

// whether returns a value that was given, nil for one that was not.
func whether[T any](given bool, value T) *T {
	if !given {
		return nil
	}
	return &value
}

// listOrNone returns a list that was given; the word alone stands for an empty one.
func listOrNone(list []string, word string) *[]string {
	if slices.Equal(list, []string{word}) {
		list = []string{}
	}
	return &list
}

// readJWKS reads a file of --jwks-file; "" is none.
func readJWKS(file string) (json.RawMessage, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the JWK set: %w", err)
	}
	if !json.Valid(data) {
		return nil, fmt.Errorf("%s is not JSON", file)
	}
	return data, nil
}

// readCertificate returns what --certificate was given: the text of the file, or
// the fingerprint; "" is none.
func readCertificate(given string) (string, error) {
	if given == "" {
		return "", nil
	}
	if fingerprint, err := keys.ParseFingerprint(given); err == nil {
		return fingerprint, nil
	}
	data, err := os.ReadFile(given)
	if err != nil {
		return "", fmt.Errorf("the certificate is neither a file nor a SHA-256 fingerprint: %w", err)
	}
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return "", fmt.Errorf("%s holds a private key, which stays with the client: give the certificate alone", given)
	}
	return string(data), nil
}
