package pack

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
	"go.yaml.in/yaml/v3"

	"lambent.dev/lambent/internal/lib/order"
)

// bundle are the BuildProperties of the build method esbuild
// (https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build-typescript.html).
type bundle struct {
	entryPoints, external, loader, mainFields, outExtension []string
	format, target                                          string
	minify, sourcemap, sourcesContent                       bool
	// base, when set, keeps the folders of the entry points.
	base bool
}

// bundleOf reads BuildProperties. A property that is not known is refused by name.
func bundleOf(n *yaml.Node) (bundle, error) {
	b := bundle{target: "es2020", minify: true, sourcesContent: true}
	if n == nil {
		return b, errors.New("Metadata.BuildProperties.EntryPoints must name the files to build")
	}
	lists := map[string]*[]string{"EntryPoints": &b.entryPoints, "External": &b.external, "Loader": &b.loader, "MainFields": &b.mainFields, "OutExtension": &b.outExtension}
	texts := map[string]*string{"Format": &b.format, "Target": &b.target}
	flags := map[string]*bool{"Minify": &b.minify, "Sourcemap": &b.sourcemap, "SourcesContent": &b.sourcesContent}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i].Value, n.Content[i+1]
		switch {
		case lists[name] != nil:
			*lists[name] = words(value)
		case texts[name] != nil:
			*texts[name] = scalar(value)
		case flags[name] != nil:
			on, err := strconv.ParseBool(scalar(value))
			if err != nil {
				return b, fmt.Errorf("Metadata.BuildProperties.%s: %q is neither true nor false", name, scalar(value))
			}
			*flags[name] = on
		default:
			return b, fmt.Errorf("Metadata.BuildProperties has no %s that is supported; EntryPoints, External, Format, Loader, MainFields, Minify, OutExtension, Sourcemap, SourcesContent and Target are", name)
		}
	}
	if len(b.entryPoints) == 0 {
		return b, errors.New("Metadata.BuildProperties.EntryPoints must name the files to build")
	}
	return b, nil
}

// words reads a list, or a text with commas.
func words(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return strings.Split(n.Value, ",")
	}
	var all []string
	for _, c := range n.Content {
		all = append(all, c.Value)
	}
	return all
}

// typescriptEntry returns the TypeScript file of a handler that has no JavaScript file, or "".
func typescriptEntry(dir, handler string) string {
	slash := strings.LastIndexByte(handler, '/') + 1
	module, _, _ := strings.Cut(handler[slash:], ".")
	module = handler[:slash] + module
	at := func(extension string) bool { return exists(filepath.Join(dir, filepath.FromSlash(module)+extension)) }
	if module == "" || slices.ContainsFunc([]string{".js", ".mjs", ".cjs"}, at) {
		return ""
	}
	for _, extension := range []string{".ts", ".tsx", ".mts", ".cts"} {
		if at(extension) {
			return module + extension
		}
	}
	return ""
}

// typescriptBundle is how TypeScript is built when nobody says how.
func typescriptBundle(entry string) bundle {
	return bundle{entryPoints: []string{entry}, target: "es2022", base: true}
}

// bundledFunction returns the zip of a function that esbuild has bundled.
func (p *packer) bundledFunction(ctx context.Context, id string, r *recipe) ([]byte, error) {
	options, err := r.bundle.options(r.dir)
	if err != nil {
		return nil, err
	}
	if !exists(filepath.Join(r.dir, nodeModules)) {
		packages, err := p.npm(ctx, id, r)
		if err != nil {
			return nil, err
		}
		if packages != "" {
			options.NodePaths = []string{filepath.Join(packages, nodeModules)}
		}
	}
	result := api.Build(options)
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("esbuild: %s", strings.TrimSpace(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), "")))
	}
	var entries []zipEntry
	for _, f := range result.OutputFiles {
		name, err := filepath.Rel(options.Outdir, f.Path)
		if err != nil {
			return nil, err
		}
		entries = append(entries, zipEntry{name: filepath.ToSlash(name), content: f.Contents})
	}
	order.Sort(entries, func(a, b zipEntry) int { return strings.Compare(a.name, b.name) })
	return zipFiles(entries)
}

// options returns the bundle in the terms of esbuild.
func (b *bundle) options(dir string) (api.BuildOptions, error) {
	o := api.BuildOptions{
		AbsWorkingDir: dir, EntryPoints: b.entryPoints, Bundle: true, Platform: api.PlatformNode, Outdir: filepath.Join(dir, "out"), Write: false,
		LogLevel: api.LogLevelSilent, External: b.external, MainFields: b.mainFields, KeepNames: b.minify,
		MinifyWhitespace: b.minify, MinifyIdentifiers: b.minify, MinifySyntax: b.minify, Loader: map[string]api.Loader{}, OutExtension: map[string]string{},
	}
	if b.base {
		o.Outbase = dir
	}
	if b.sourcemap {
		o.Sourcemap = api.SourceMapLinked
		if !b.sourcesContent {
			o.SourcesContent = api.SourcesContentExclude
		}
	}
	engines, ok := map[string]api.Target{
		"es2015": api.ES2015, "es2016": api.ES2016, "es2017": api.ES2017, "es2018": api.ES2018, "es2019": api.ES2019, "es2020": api.ES2020,
		"es2021": api.ES2021, "es2022": api.ES2022, "es2023": api.ES2023, "es2024": api.ES2024, "esnext": api.ESNext,
	}[strings.ToLower(b.target)]
	if version, isNode := strings.CutPrefix(b.target, "node"); isNode && version != "" {
		o.Engines = []api.Engine{{Name: api.EngineNode, Version: version}}
	} else if ok {
		o.Target = engines
	} else {
		return o, fmt.Errorf("Metadata.BuildProperties.Target: %q is neither es2015 to es2024, esnext, nor node and a version", b.target)
	}
	switch b.format {
	case "", "cjs":
		o.Format = api.FormatCommonJS
	case "esm":
		o.Format = api.FormatESModule
	default:
		return o, fmt.Errorf("Metadata.BuildProperties.Format: %q is neither cjs nor esm", b.format)
	}
	return o, b.extensions(&o)
}

// extensions fills in what is said for each extension of a file, as .txt=text.
func (b *bundle) extensions(o *api.BuildOptions) error {
	loaders := map[string]api.Loader{
		"js": api.LoaderJS, "jsx": api.LoaderJSX, "ts": api.LoaderTS, "tsx": api.LoaderTSX, "json": api.LoaderJSON, "text": api.LoaderText, "base64": api.LoaderBase64,
		"binary": api.LoaderBinary, "dataurl": api.LoaderDataURL, "file": api.LoaderFile, "copy": api.LoaderCopy, "css": api.LoaderCSS, "empty": api.LoaderEmpty,
	}
	for _, pair := range b.loader {
		extension, name, _ := strings.Cut(pair, "=")
		loader, ok := loaders[name]
		if !ok || !strings.HasPrefix(extension, ".") {
			return fmt.Errorf("Metadata.BuildProperties.Loader: %q is not an extension and a loader, such as .txt=text", pair)
		}
		o.Loader[extension] = loader
	}
	for _, pair := range b.outExtension {
		from, to, ok := strings.Cut(pair, "=")
		if !ok || !strings.HasPrefix(from, ".") || !strings.HasPrefix(to, ".") {
			return fmt.Errorf("Metadata.BuildProperties.OutExtension: %q is not two extensions, such as .js=.mjs", pair)
		}
		o.OutExtension[from] = to
	}
	return nil
}
