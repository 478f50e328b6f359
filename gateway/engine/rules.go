package engine

import (
	"slices"

	tyk "github.com/TykTechnologies/tyk/config"
)

// tls12 and tls13 are the numbers of TLS 1.2 and 1.3 in http_server_options
// (RFC 5246, 6.2.1; RFC 8446, 4.1.2).
const tls12, tls13 = 771, 772

func isTLS(version uint16) bool { return version == tls12 || version == tls13 }

// rule is what a setting of Tyk must be. check returns what is wrong, or "".
type rule struct {
	name  string // the key, parents first, joined by dots
	check func(*tyk.Config) string
}

// rules are the settings whose wrong value would be unsafe here or would cost
// every request something. They are checked rather than overridden, so that
// what tyk.conf says is what runs.
var rules = []rule{
	{"listen_port", func(c *tyk.Config) string {
		return unless(c.ListenPort > 0 && c.ListenPort < 1<<16, "must be a port from 1 to 65535")
	}},
	{"hash_keys", func(c *tyk.Config) string { return unless(c.HashKeys, "must be true: keys are only stored hashed") }},
	{"hash_key_function", func(c *tyk.Config) string { return unless(c.HashKeyFunction == "sha256", `must be "sha256"`) }},
	{"allow_master_keys", func(c *tyk.Config) string {
		return unless(!c.AllowMasterKeys, "must be false: a key without access rights would open everything")
	}},
	{"allow_insecure_configs", func(c *tyk.Config) string {
		return unless(!c.AllowInsecureConfigs, "must be false: it lets unsigned reload messages through")
	}},
	{"disable_regexp_cache", func(c *tyk.Config) string {
		return unless(c.DisableRegexpCache, "must be true: the cache has no bound")
	}},
	{"hide_generator_header", func(c *tyk.Config) string { return unless(c.HideGeneratorHeader, "must be true") }},
	{"enable_key_logging", func(c *tyk.Config) string { return unless(!c.EnableKeyLogging, "must be false") }},
	{"log_level", func(c *tyk.Config) string {
		return unless(slices.Contains([]string{"error", "warn", "info"}, c.LogLevel), "must be error, warn or info: Tyk's debug lines hold paths and keys")
	}},
	{"uptime_tests.disable", func(c *tyk.Config) string { return unless(c.UptimeTests.Disable, "must be true") }},
	{"http_server_options.min_version", func(c *tyk.Config) string {
		return unless(isTLS(c.HttpServerOptions.MinVersion), "must be 771 (TLS 1.2) or 772 (TLS 1.3)")
	}},
	{"http_server_options.max_version", func(c *tyk.Config) string {
		options := c.HttpServerOptions
		if !isTLS(options.MaxVersion) {
			return "must be 771 (TLS 1.2) or 772 (TLS 1.3)"
		}
		return unless(options.MaxVersion >= options.MinVersion || !isTLS(options.MinVersion), "must not be below min_version")
	}},
	{"http_server_options.max_request_body_size", func(c *tyk.Config) string {
		return unless(c.HttpServerOptions.MaxRequestBodySize == 0, "must be 0: Tyk would read every body into memory; the facade bounds bodies")
	}},
	{"http_server_options.ssl_certificates", func(c *tyk.Config) string {
		return unless(len(c.HttpServerOptions.SSLCertificates) == 0, `is not supported; name files in "certificates"`)
	}},
	{"http_server_options.certificates", func(c *tyk.Config) string {
		return unless(!c.HttpServerOptions.UseSSL || len(c.HttpServerOptions.Certificates) > 0, "must name at least one certificate when use_ssl is true")
	}},
	off("enable_jsvm", func(c *tyk.Config) bool { return c.EnableJSVM }),
	off("enable_bundle_downloader", func(c *tyk.Config) bool { return c.EnableBundleDownloader }),
	off("enable_analytics", func(c *tyk.Config) bool { return c.EnableAnalytics }),
	off("enable_http_profiler", func(c *tyk.Config) bool { return c.HTTPProfile }),
	off("track_404_logs", func(c *tyk.Config) bool { return c.Track404Logs }),
	off("access_logs.enabled", func(c *tyk.Config) bool { return c.AccessLogs.Enabled }),
	off("use_sentry", func(c *tyk.Config) bool { return c.UseSentry }),
	off("use_syslog", func(c *tyk.Config) bool { return c.UseSyslog }),
	off("use_graylog", func(c *tyk.Config) bool { return c.UseGraylog }),
	off("use_logstash", func(c *tyk.Config) bool { return c.UseLogstash }),
	off("use_redis_log", func(c *tyk.Config) bool { return c.UseRedisLog }),
	off("use_db_app_configs", func(c *tyk.Config) bool { return c.UseDBAppConfigs }),
	off("slave_options.use_rpc", func(c *tyk.Config) bool { return c.SlaveOptions.UseRPC }),
	off("coprocess_options.enable_coprocess", func(c *tyk.Config) bool { return c.CoProcessOptions.EnableCoProcess }),
	off("opentelemetry.enabled", func(c *tyk.Config) bool { return c.OpenTelemetry.Enabled }),
	off("tracing.enabled", func(c *tyk.Config) bool { return c.Tracer.Enabled }),
	off("newrelic.app_name", func(c *tyk.Config) bool { return c.NewRelic.AppName != "" }),
	off("enable_custom_domains", func(c *tyk.Config) bool { return c.EnableCustomDomains }),
	off("hostname", func(c *tyk.Config) bool { return c.HostName != "" }),
	off("secret", func(c *tyk.Config) bool { return c.Secret != "" }),
	off("node_secret", func(c *tyk.Config) bool { return c.NodeSecret != "" }),
	off("app_path", func(c *tyk.Config) bool { return c.AppPath != "" }),
	off("policies", func(c *tyk.Config) bool { return c.Policies.PolicyPath != "" || c.Policies.PolicySource != "" }),
}

// off is the rule for a part of Tyk that is not used here, or that the engine
// sets by itself.
func off(name string, on func(*tyk.Config) bool) rule {
	return rule{name, func(c *tyk.Config) string {
		return unless(!on(c), "must not be set: fhirgate does not use it, or sets it by itself (docs/configuration.md)")
	}}
}

func unless(ok bool, text string) string {
	if ok {
		return ""
	}
	return text
}
