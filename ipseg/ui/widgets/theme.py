"""The theme of the page: colours, fonts and CSS rules beyond Gradio's theme. No font is downloaded."""

from __future__ import annotations

import gradio as gr

VALUES = {  # of Gradio's theme: (in the light mode, in the dark mode); None is Gradio's own
    "button_primary_background_fill": ("#b45309", "#b45309"),
    "button_primary_background_fill_hover": ("#92400e", "#92400e"),
    "button_secondary_background_fill_hover": (None, "*neutral_600"),
    "button_secondary_background_fill": ("#ffffff", "#2f2b28"),
    "button_secondary_border_color": ("#a39c96", "#6b645e"),
    "button_border_width": ("1px", None),
    "button_primary_text_color": ("#ffffff", "#ffffff"),
    "checkbox_label_background_fill_selected": ("#b45309", "#b45309"),
    "checkbox_label_text_color_selected": ("#ffffff", "#ffffff"),
    "checkbox_background_color": ("#ffffff", "#161412"),
    "checkbox_border_color": ("#6f6862", "#a8a29e"),
    "checkbox_border_width": ("1.5px", None),
    "checkbox_background_color_selected": ("#b45309", "#d97706"),
    "checkbox_border_color_selected": ("#b45309", "#d97706"),
    "checkbox_border_color_focus": ("#b45309", "#d97706"),
    "checkbox_border_color_hover": ("#b45309", "#d97706"),
    "checkbox_label_border_color": ("#cfc9c4", "#57514c"),
    "checkbox_label_border_width": ("1px", None),
    "checkbox_label_background_fill": ("#ffffff", "#2b2724"),
    "body_background_fill": ("#f3f0ec", "#161412"),
    "body_text_color_subdued": ("#625b55", "*neutral_300"),
    "background_fill_secondary": ("#faf8f6", "#1f1c1a"),
    "border_color_primary": ("#cfc9c4", "#4a4541"),
    "block_background_fill": ("#ffffff", "#211e1c"),
    "block_border_width": ("1px", None),
    "block_border_color": ("#cfc9c4", "#45403c"),
    "block_shadow": ("none", "none"),
    "block_radius": ("10px", None),
    "block_info_text_color": ("#625b55", "*neutral_300"),
    "block_label_background_fill": ("*neutral_100", "*neutral_800"),
    "block_label_text_color": ("*neutral_700", "*neutral_200"),
    "block_title_background_fill": ("none", "none"),
    "block_title_text_color": ("*neutral_700", "*neutral_200"),
    "block_title_padding": ("0", None),
    "input_background_fill": ("#ffffff", "#161412"),
    "input_border_color": ("#8a837d", "#7d7670"),
    "input_border_width": ("1px", None),
    "layout_gap": ("12px", None),
}


def theme() -> gr.themes.Base:
    """Grey panels, amber primary buttons as the masks, system fonts."""
    values = {name: light for name, (light, _) in VALUES.items() if light is not None}
    values |= {f"{name}_dark": dark for name, (_, dark) in VALUES.items() if dark is not None}
    return gr.themes.Soft(
        primary_hue=gr.themes.colors.amber,
        neutral_hue=gr.themes.colors.stone,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(**values)


CSS = """
.gradio-container { max-width: none !important; overflow: clip; }
.gradio-container > main, .gradio-container > .main { max-width: 1240px !important; width: 100%; margin: 0 auto;
  padding: .8rem 1rem !important; }
.gradio-container .sidebar-parent { position: relative; }
.gradio-container .tabitem { padding: 0; border: 0; background: none; }
#title { padding-right: 7rem; }
#title .prose { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .8rem; }
#title h1 { font-size: 1.5rem; margin: 0; letter-spacing: -.02em; }
#title p { font-size: 1rem; margin: 0; }
#engine { align-items: center; gap: .8rem; flex-wrap: wrap; }
#engine > #engine-state { flex: 1 1 300px !important; }
#engine > .column { flex: 0 1 auto !important; min-width: 160px !important; max-width: min(420px, 60%); width: auto; }
#fetch { font-size: .9rem; padding: .35rem .8rem; }
#engine > .column:not(:has(button:not(.hidden))) { display: none; }
.tab-wrapper { margin-bottom: .6rem !important; }
.tab-container.wrap { row-gap: .1rem; }
.tab-container button { padding: 0 .8rem !important; }
.tab-container button.selected { color: #9a3412; font-weight: 600; }
.dark .tab-container button.selected { color: #fbbf24; }
/* Inputs: a drop zone has a dashed edge and one line of text. */
.image-input .upload-container { border: 2px dashed #8a837d; border-radius: 8px; }
.dark .image-input .upload-container { border-color: #8a837d; }
.image-input .upload-wrapper { padding: 2.1rem .5rem .5rem; box-sizing: border-box; height: 100%; }
.image-input [data-testid=upload-text] { font-size: 0 !important; line-height: 1.2 !important; padding: 0 !important;
  min-height: 0 !important; }
.image-input [data-testid=upload-text] .or { display: none; }
.image-input [data-testid=upload-text]::after { content: "Drop images here"; font-size: .9rem; text-align: center; }
.image-input.one [data-testid=upload-text]::after { content: "Drop an image here"; }
.image-input.files [data-testid=upload-text]::after { content: "Drop images or a ZIP here"; }
.image-input.clips [data-testid=upload-text]::after { content: "Drop images, a ZIP or clips here"; }
.image-input.clip [data-testid=upload-text]::after { content: "Drop a clip here"; }
.file-preview .download-link { color: #9a3412 !important; }
.dark .file-preview .download-link { color: #fbbf24 !important; }
.image-input.one { border-style: solid !important; }
.image-input.one .upload-container .upload-container { border: 0; }
.image-input .icon-button-wrapper:not(:has(button, a)) { display: none; }
.image-input img { object-fit: contain !important; }
.image-input .grid-container:has(> :only-child) { grid-template-columns: 1fr !important; }
/* Settings: they move the page aside and cover nothing; on a narrow window they are a page of their own. */
.sidebar:not(.open) { position: absolute !important; width: 0 !important; right: 0 !important; border: 0; }
.sidebar:not(.open) .sidebar-content { width: 0; padding: 0 !important; overflow: hidden; }
.sidebar:not(.open) .toggle-button { top: .2rem; border-radius: 0 6px 6px 0; border: 1px solid #a39c96; }
.gradio-container .sidebar-parent:has(.sidebar.open.right) {
  padding-right: clamp(0px, calc((100vw - 768px) * 999), 330px) !important;
}
/* Beside the settings there is less room: two fields of images stand one above the other. */
.gradio-container .sidebar-parent:has(.sidebar.open.right) #segment-images { flex-wrap: wrap; }
.gradio-container .sidebar-parent:has(.sidebar.open.right) #compare .pair { flex-wrap: wrap; }
.gradio-container .sidebar-parent:has(.sidebar.open.right) #segment-images > * { flex: 1 1 100%;
  height: 150px !important; }
.gradio-container .sidebar-parent:has(.sidebar.open.right) #compare .pair > * { flex: 1 1 100%; }
.gradio-container .sidebar-parent:has(.sidebar.open.right) #segment-images .thumbnail-lg { height: 100px !important; }
.gradio-container .sidebar-parent:has(.sidebar.open.right) .examples .grid-container {
  grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
.gradio-container footer .divider { display: none; }
.sidebar:not(.open) .sidebar-content { visibility: hidden; transition: visibility .3s; }
.sidebar.open .sidebar-content h2:first-child { font-size: 1.15rem; margin: 0; }
.sidebar:not(.open) .toggle-button { width: auto; gap: .3rem; padding: 0 .7rem; }
.sidebar:not(.open) .toggle-button::after { content: "Settings"; font-size: .9rem; transform: rotate(180deg); }
#engine-state .state { border-left: 4px solid #a8a29e; padding: .1rem .8rem; font-size: .9rem; }
#engine-state summary { cursor: pointer; }
#engine-state details:not([open]) summary { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#engine-state.block, #engine-state .html-container { padding: 0 !important; overflow: hidden; }
[data-testid=block-label].float { top: 0 !important; left: 0 !important; border-width: 0 1px 1px 0;
  border-radius: 9px 0 8px 0; font-size: .85rem; padding: .15rem .55rem; }
.block:has(> [data-testid=block-label].float) > .image-container { padding-top: 1.8rem; box-sizing: border-box; }
.block:has(> [data-testid=block-label].float) .grid-wrap { padding-top: 1.9rem; }
#engine-state .missing { border-color: #d97706; }
#engine-state .aside { opacity: .75; font-size: .85rem; }
progress { appearance: none; width: 100%; height: .7rem; border: 0; border-radius: 4px; overflow: hidden;
  background: rgb(168 162 158 / .3); }
progress::-webkit-progress-bar { background: rgb(168 162 158 / .3); }
progress::-webkit-progress-value { background: #d97706; transition: width .25s; }
progress::-moz-progress-bar { background: #d97706; }
.image-input .thumbnail-lg { height: 72px; aspect-ratio: auto; }
.image-input .grid-container:has(> :only-child) .thumbnail-lg { height: 146px; }
.image-input .icon-button-wrapper { max-width: 100%; }
.image-input .grid-container:has(> :nth-child(3)) { grid-template-rows: none !important; grid-auto-rows: max-content;
  align-content: start; }
#saliency .thumbnail-lg > img { height: 205px; aspect-ratio: auto; }
/* The caption of an image in a gallery is below it, not over it. */
.thumbnail-lg:has(> .caption-label) { display: flex !important; flex-direction: column; height: auto !important;
  aspect-ratio: auto !important; }
.thumbnail-lg:has(> .caption-label) > img { flex: none; aspect-ratio: 4 / 3; width: 100%; min-height: 0; }
.thumbnail-lg > .caption-label { position: static !important; width: 100%; max-width: 100% !important; border: 0;
  border-radius: 0; padding: .1rem .35rem .2rem; font-size: .8rem; line-height: 1.25; white-space: normal;
  overflow-wrap: anywhere; text-align: left; opacity: 1 !important; background: var(--block-background-fill);
  color: var(--body-text-color); box-shadow: none; }
.grid-container:has(.caption-label) { height: auto; grid-template-rows: none !important; grid-auto-rows: max-content;
  align-items: start; }
.grid-wrap:has(.caption-label) { height: auto !important; min-height: 0 !important; }
/* A button that shows that its request runs, with the seconds; see widgets/running.py. */
.run-row { flex-wrap: nowrap !important; }
.stop:not([data-elapsed]) { display: none; }
.run[data-elapsed] { font-size: 0 !important; pointer-events: none; }
.run[data-elapsed]::after { content: "Running, " attr(data-elapsed); font-size: 1.05rem;
  font-variant-numeric: tabular-nums; }
.run[data-stopping]::after { content: "Stopping"; }
#segment-images { flex-wrap: nowrap; }
#segment-inputs, #segment-result { gap: .6rem; align-self: flex-start !important; justify-content: flex-start; }
#segment-inputs .more { padding: .35rem .8rem; }
.gradio-container .examples .thumbnail-lg > img { aspect-ratio: 3 / 2; }
.gradio-container .examples .grid-container { gap: .4rem; height: auto;
  grid-template-columns: repeat(4, minmax(0, 1fr)) !important; grid-template-rows: none !important;
  grid-auto-rows: max-content !important; }
.gradio-container .examples .grid-wrap { height: auto !important; min-height: 0 !important; }
#result .view { height: auto !important; background: var(--background-fill-secondary); }
#result .view img { max-height: clamp(300px, calc(100vh - 430px), 440px); object-fit: contain; }
#files button, #files a, .files button, .files a { font-size: .95rem; padding: .45rem .8rem; }
.gradio-container .examples .caption-label { font-size: .75rem; padding: 0 .3rem; }
#tab-compare:not(:has(#compare-table table)) :is(#compare-pair, #compare-slider, #compare-difference, #compare-legend,
  #compare-answers, #compare-files, #compare-json) { display: none; }
#compare-inputs, #compare-result { gap: .6rem; align-self: flex-start !important; justify-content: flex-start; }
#compare-inputs .more { padding: .35rem .8rem; }
#compare .pair { flex-wrap: nowrap; }
#compare-methods .wrap { gap: .3rem; }
#compare-methods label { padding: .15rem .5rem; font-size: .85rem; }
#compare-legend ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; margin: 0;
  font-size: .9rem; }
#compare-legend .swatch { border: 1px solid #8a837d; }
/* The views of the result: CSS shows the one that is chosen. */
#result .view { display: none; }
#result:has(#view label:nth-child(1) input:checked):not(:has(#numbered)) #shown-overlay,
#result:has(#view label:nth-child(2) input:checked) #shown-cut,
#result:has(#view label:nth-child(3) input:checked) #shown-mask,
#result:has(#view label:nth-child(4) input:checked) #shown-original { display: block; }
#result:not(:has(#view label:nth-child(1) input:checked)) #numbered { display: none; }
#result:not(:has(#view label:nth-child(2) input:checked)) #background-row { display: none; }
#background-row:not(:has(#background label:nth-child(4) input:checked)) #background-colour { display: none; }
#background-row { align-items: end; }
#view .wrap, #background .wrap, #sign .wrap { gap: .35rem; flex-wrap: nowrap; }
#view label, #background label, #sign label { padding: .3rem .7rem; white-space: nowrap; }
#view label, #background label { gap: .35rem; }
#view span, #background span { margin: 0; }
#instances label { padding: .15rem .5rem; font-size: .85rem; }
#instances .wrap { gap: .3rem; }
#verdict, #verdict > div, #batch-status, #batch-status > div { padding: 0 !important; }
#shown-cut img { background: repeating-conic-gradient(#d4d0cc 0 25%, #ffffff 0 50%) 0 0 / 20px 20px;
  width: auto !important; height: auto !important; max-width: 100%; max-height: 100%; margin: auto; }
#numbered .legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
#numbered .image-container, #numbered .image-container > * { cursor: crosshair; }
#numbered .mask:not(.active) { opacity: 0; }
#numbered .mask.active { opacity: .65; }
#answers .thumbnail-lg > img { height: 66px; aspect-ratio: auto; }
#answers { height: auto !important; }
#answers .grid-wrap { height: auto !important; min-height: 0 !important; max-height: 250px; overflow-y: auto; }
#before .thumbnail-lg > img { height: 160px; aspect-ratio: auto; }
#before img { object-fit: contain !important; }
#corrections { align-items: center; flex-wrap: wrap; gap: .4rem; }
#corrections > #sign { flex: 0 0 auto !important; min-width: 0 !important; width: auto; }
#corrections > button { flex: 0 1 64px; min-width: 56px !important; }
#meant-mode .wrap { gap: .3rem; }
#meant-mode label { padding: .2rem .5rem; font-size: .85rem; }
#view, #sign, #background, #meant-mode { overflow: visible !important; border-radius: 0; }
#sign span, #meant-mode span { margin: 0; }
/* On the filled label of what is chosen, the box of a tick and the ring of a dot are white lines. */
label.selected > input:is([type=radio], [type=checkbox]) { border: 1.5px solid #fff !important;
  background-color: transparent !important; }
/* Which object is meant: the first image is marked on the first screen, below the button. */
#meant:has(#meant-image, #meant-paint, #meant-file) #meant-intro { display: none; }
#segment-inputs:has(#meant-image, #meant-paint) #segment-images > * { height: 118px !important; }
#segment-inputs:has(#meant-image, #meant-paint) #segment-images .thumbnail-lg { height: 70px !important; }
#meant-image img { max-height: 250px; }
#meant-note { font-size: .85rem; }
#meant-row { align-items: center; flex-wrap: nowrap; }
#meant-row:not(:has(#meant-mode)) { display: none; }
#meant .pair { flex-wrap: nowrap; gap: .4rem; }
#meant .pair > button { min-width: 0 !important; padding: .3rem; }
#hint, #hint > * { padding: 0 !important; }
#sign label { font-size: .85rem; padding: .3rem .5rem; gap: .3rem; }
/* The chosen one of these is filled: a dot in it says nothing more. */
:is(#sign, #view, #background, #meant-mode) input { position: absolute; appearance: none; opacity: 0; width: 1px;
  height: 1px; border: 0; margin: 0; }
#sign label:has(:focus-visible), #view label:has(:focus-visible), #background label:has(:focus-visible),
#meant-mode label:has(:focus-visible) {
  outline: 3px solid #d97706; }
#marked img, #result .view img { cursor: crosshair; }
#corrections > #hint { flex: 1 1 200px !important; min-width: 0 !important; font-size: .85rem; line-height: 1.3; }
#corrections[data-elapsed] > #hint { display: none; }
#corrections[data-elapsed]::before { content: "Correcting, " attr(data-elapsed); font-weight: 600;
  font-variant-numeric: tabular-nums; }
#corrections[data-elapsed] > * { pointer-events: none; opacity: .6; }
#verdict-row { align-items: center; gap: .5rem; }
#verdict-row > #verdict { flex: 1 1 260px !important; }
#verdict-row > #accept { flex: 0 1 auto !important; width: auto; font-size: .9rem; padding: .5rem .8rem; }
/* The inputs are not those of the results. */
.tabitem[data-old]:not(:has(.run[data-elapsed])) .of-inputs::before { font-weight: 600;
  content: "These results are from earlier inputs or settings; compute them anew."; }
.of-inputs .of-inputs::before { content: none !important; } /* Gradio repeats the class inside */
.tabitem:is([data-old], :has(.run[data-elapsed])) :is(#result .view, #numbered, #answers, #verdict .scale, #why img,
  #before, #compare-table table, #compare-pair, #compare-slider, #compare-difference, #compare-legend, #compare-answers,
  #ablation-results, #sets-prompts, #sets-answers, #sets-verdict .wide, #case-images) { opacity: .45; }
#answers img, #saliency img { object-fit: contain !important; }
#compare-table table { width: 100%; border-collapse: collapse; margin: 0 0 .3rem; }
#compare-table table, #compare-table tr, #compare-table th, #compare-table td { border: 0 !important; }
#compare-table th, #compare-table td { padding: .3rem .6rem .3rem 0; text-align: left; }
#compare-table tbody tr { border-top: 1px solid rgb(168 162 158 / .45) !important; }
#compare-table, #compare-table > div { padding: 0 !important; }
#compare-table summary { cursor: pointer; }
#compare-answers .thumbnail-lg > img { height: 220px; aspect-ratio: auto; }
#compare-answers img { object-fit: contain !important; }
#compare-answers .grid-container { height: auto; grid-template-rows: none !important; grid-auto-rows: max-content; }
#compare-answers .grid-wrap { height: auto !important; min-height: 0 !important; }
#compare-table td { font-variant-numeric: tabular-nums; }
#compare-table .wide { contain: inline-size; overflow-x: auto; }
#compare-table .swatch, #compare-legend .swatch { display: inline-block;
  width: .8em; height: .8em; margin-right: .45em; border-radius: 2px; }
#compare-table .aside { opacity: .8; font-size: .9rem; }
#sets-verdict .waiting, #case-verdict .waiting {
  border-left: 4px solid #d97706; padding: .45rem .8rem; margin-bottom: .6rem;
}
#sets-verdict .wide { contain: inline-size; overflow-x: auto; }
#sets-verdict .side { display: flex; flex-wrap: wrap; gap: 1.5rem; }
#sets-verdict table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
#sets-verdict table, #sets-verdict tr, #sets-verdict th, #sets-verdict td { border: 0 !important; }
#sets-verdict tbody tr { border-top: 1px solid rgb(168 162 158 / .45) !important; }
#sets-verdict caption { text-align: left; font-weight: 600; padding-bottom: .2rem; }
#sets-verdict th, #sets-verdict td { padding: .3rem .7rem; text-align: left; }
.ablation .message, .ablation .waiting {
  border-left: 4px solid #d97706; padding: .45rem .8rem; margin-bottom: .6rem; background: rgb(168 162 158 / .12);
  border-radius: 4px; max-width: 75ch;
}
.ablation .html-container { padding: 0 !important; }
.ablation .waiting { border-color: #a8a29e; }
.ablation .aside { opacity: .8; font-size: .9rem; max-width: 75ch; }
.ablation table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .2rem 0 .6rem; }
.ablation table, .ablation table tr, .ablation table th, .ablation table td { border: 0 !important; background: none; }
.ablation .wide { contain: inline-size; overflow-x: auto; }
.ablation .numbers tbody tr { border-top: 1px solid rgb(168 162 158 / .35) !important; }
.ablation .numbers th, .ablation .numbers td { padding: .25rem 1.2rem .25rem 0 !important; text-align: left; }
.ablation .figures { display: grid; gap: .8rem; margin: .6rem 0;
  grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); }
.ablation .pairs { grid-template-columns: repeat(4, minmax(0, 1fr)); }
.ablation figure { margin: 0; }
.ablation figure img { width: 100%; border-radius: 6px; margin: 0; }
.ablation figcaption { font-size: .88rem; padding-top: .25rem; line-height: 1.3; overflow-wrap: anywhere; }
.ablation img { cursor: zoom-in; }
.ablation img:focus:not(:focus-visible) { position: fixed; inset: 0; z-index: 9999; width: 100vw; height: 100dvh;
  max-width: none; object-fit: contain; background: rgb(0 0 0 / .88); border-radius: 0; pointer-events: none; }
.ablation .own th, .ablation .own td, .ablation td.own { font-weight: 600; }
.ablation .grid { table-layout: fixed; width: 100%; max-width: 1000px; }
.ablation .grid th, .ablation .grid td { padding: .2rem !important; text-align: center; vertical-align: top; }
.ablation .grid tr > :first-child { width: 3.2rem; white-space: nowrap; text-align: left; vertical-align: middle; }
.ablation .grid img { width: 100%; display: block; border-radius: 4px; margin: 0 0 .1rem; }
.ablation .grid .own img { outline: 3px solid #d97706; outline-offset: 1px; }
.ablation details { margin: .4rem 0 .8rem; }
.ablation summary { cursor: pointer; padding: .3rem 0; font-weight: 600; }
.ablation .beside { display: flex; flex-wrap: wrap; gap: .6rem 1.6rem; align-items: flex-start; }
.ablation .beside > div { flex: 1 1 300px; min-width: 0; }
.ablation .beside > .figures { flex: 3 1 420px; margin-top: .2rem; }
.ablation .heat { border-collapse: separate !important; border-spacing: 3px; width: 100%; max-width: 420px; }
.ablation .heat th, .ablation .heat td { padding: .5rem .2rem !important; text-align: center; min-width: 2.8rem;
  height: 3.1rem; }
.ablation .heat td:not(.none) { border-radius: 5px; font-size: 1rem; }
.ablation .heat td.own { outline: 3px solid #d97706; outline-offset: 1px; }
.ablation .heat .note { display: block; font-size: .72rem; font-weight: 400; line-height: 1; color: inherit; }
:is(.ablation, #heat-scale) .legend { font-size: .85rem; margin: .3rem 0 .6rem; font-variant-numeric: tabular-nums; }
:is(.ablation, #heat-scale) .legend span { display: block; }
:is(.ablation, #heat-scale) .legend .scale { display: flex; align-items: center; gap: .5rem; max-width: 420px; }
:is(.ablation, #heat-scale) .legend b { font-weight: 600; white-space: nowrap; }
:is(.ablation, #heat-scale) .legend i { flex: 1 1 auto; height: .8rem; border-radius: 3px; }
.pressed img { cursor: crosshair; max-height: 420px; object-fit: contain; }
.ablation .grid .none { vertical-align: middle; opacity: .6; }
#batch-status .detected, #batch-status .uncertain, #batch-status .not-detected, #batch-status .stopped,
#batch-status .waiting {
  border-left: 4px solid #a8a29e; border-radius: 4px; padding: .45rem .8rem; background: rgb(168 162 158 / .12);
}
#batch-status { min-height: 2.6rem; overflow-wrap: anywhere; }
#batch-status .detected { border-color: #2ecc40; background: rgb(46 204 64 / .10); }
#batch-status .uncertain { border-color: #56b4e9; background: rgb(86 180 233 / .12); }
#batch-status .not-detected, #batch-status .stopped { border-color: #78716c; background: rgb(120 113 108 / .14); }
#batch-inputs, #batch-result { gap: .6rem; align-self: flex-start !important; }
#batch .pair { flex-wrap: nowrap; align-items: stretch; }
#batch-folder { align-self: center; }
#batch-downloads button[disabled] { display: none; }
.cases .thumbnail-lg > img { aspect-ratio: 1; }
.cases .caption-label { font-size: .74rem !important; padding: .05rem .25rem .15rem !important; }
.cases .grid-container { gap: .35rem; grid-template-columns: repeat(5, minmax(0, 1fr)) !important; }
#case-inputs, #case-result { gap: .6rem; align-self: flex-start !important; }
#case-verdict .start { padding: 1.2rem 1.6rem; min-height: 12rem; background: var(--block-background-fill);
  border: 1px solid var(--block-border-color); border-radius: 10px; line-height: 1.9; }
#case-verdict .start ol { list-style: decimal; padding-left: 1.4rem; }
#case-images img { object-fit: contain; }
#sets-prompts:not(:has(img)), #sets-answers:not(:has(img)), #case-images:not(:has(img)) { display: none; }
#case-verdict { min-height: 2.6rem; }
#sets-verdict > div, #case-verdict > div { padding: 0 !important; }
:is(#sets-verdict, #case-verdict, #ablation-verdict):has(.meta-text, .progress-level) { min-height: 6.5rem; }
:is(#sets-prompts, #sets-answers) .thumbnail-lg > img { max-height: 260px; object-fit: contain; }
/* A file in a list has one low row with its whole name. */
.image-input.files .file-preview tr { padding: 0; height: auto; align-items: center; }
.image-input.files .file-preview td { padding: .1rem .4rem; font-size: .85rem; height: auto; }
.image-input.files .file-preview .filename { min-width: 0; flex: 1 1 auto; display: block; white-space: normal;
  font-size: 0; } /* of the space before the ending */
.image-input.files .file-preview :is(.stem, .ext) { display: inline; white-space: normal; overflow: visible;
  overflow-wrap: anywhere; font-size: .85rem; line-height: 1.3; }
.image-input.files .file-preview :is(a, button) { font-size: .85rem; padding: .1rem .3rem; white-space: nowrap; }
#batch .more { padding: .35rem .8rem; }
#batch-gallery:not(:has(img)), #batch-downloads:not(:has(button:not([disabled]))),
  #batch-progress:not(:has(.stopping)) #batch-stop[disabled] { display: none; }
#batch-progress { flex-wrap: nowrap; align-items: flex-start; }
#batch-prompts .grid-container:has(> :only-child) .thumbnail-lg { height: 116px; }
/* The chosen value of a list ends before the arrow. */
.gradio-container .secondary-wrap input[role=combobox] { text-overflow: ellipsis; padding-right: 1.6rem; }
/* An error is a message of its own; the word over the earlier text says nothing more. */
[data-testid=status-tracker]:has(> .error) { display: none !important; }
.file-count { font-size: .9rem; }
.file-count, .file-count > div { padding: 0 !important; }
.file-count:not(:has(p)) { display: none; }
.file-count p { margin: 0 0 .2rem; }
.file-count .thumbs { display: grid; grid-template-columns: repeat(auto-fill, minmax(58px, 1fr)); gap: .3rem; }
.file-count .thumbs.of-clips { grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); }
.file-count .thumbs img { width: 100%; aspect-ratio: 4 / 3; object-fit: cover; border-radius: 4px; margin: 0; }
#batch-status .chips { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; margin: .3rem 0 0;
  font-size: .9rem; }
#batch-status .chips i { display: inline-block; width: 1.1em; height: .85em; margin-right: .4em; border-radius: 3px;
  vertical-align: -.1em; }
#batch-status .earlier { font-weight: 600; padding-bottom: .3rem; }
#batch-status .earlier + div, #batch:has(#batch-status .earlier) :is(#batch-gallery, #batch-video) { opacity: .5; }
#batch-status .aside { opacity: .8; font-size: .9rem; }
.progress-text.meta-text, .progress-text.meta-text-center {
  font: 600 .95rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums;
  background: rgb(168 162 158 / .25); border-radius: 4px; padding: .1rem .6rem;
}
/* While a request runs, the box of its status shows the progress alone. */
[data-testid=status-tracker].translucent:not(.generating):has(.meta-text, .meta-text-center, .progress-level) {
  background: var(--block-background-fill) !important; bottom: 0; }
#label-inputs, #label-result { gap: .6rem; align-self: flex-start !important; }
#label .class-row { flex-wrap: nowrap; align-items: stretch; gap: .5rem; }
#label .class-row > button { align-self: flex-start; padding: .2rem .5rem; font-size: 1.1rem; }
#label .pair { flex-wrap: nowrap; align-items: stretch; }
#label-status { min-height: 2.6rem; }
#label-status, #label-status > div { padding: 0 !important; }
#label-status .detected, #label-status .uncertain, #label-status .not-detected, #label-status .stopped,
#label-status .waiting {
  border-left: 4px solid #a8a29e; border-radius: 4px; padding: .45rem .8rem; background: rgb(168 162 158 / .12);
}
#label-status .detected { border-color: #2ecc40; background: rgb(46 204 64 / .10); }
#label-status .uncertain { border-color: #56b4e9; background: rgb(86 180 233 / .12); }
#label-status .aside { opacity: .8; font-size: .9rem; }
#label-status .start { padding: 1.2rem 1.6rem; min-height: 15rem; background: var(--block-background-fill);
  border: 1px solid var(--block-border-color); border-radius: 10px; line-height: 1.9; }
#label-status .start ol { list-style: decimal; padding-left: 1.4rem; }
#label-status:has(.meta-text) .waiting { visibility: hidden; }
#label-review, #label-one { gap: .6rem; }
#label-image { height: auto !important; background: var(--background-fill-secondary); }
#label-image img { max-height: 440px; object-fit: contain; }
#label-one:has(#label-sign label:not(:first-child) input:checked) #label-image img { cursor: crosshair; }
#label-instances .wrap, #label-sign .wrap { gap: .35rem; }
#label-instances label, #label-sign label { padding: .25rem .6rem; font-size: .9rem; }
#label-downloads { align-items: end; }
#label-edits { align-items: stretch; }
#label-gallery .grid-wrap { height: auto !important; min-height: 0 !important; }
#label .class-row .grid-container, #label .class-row .grid-container:has(> :only-child) {
  grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
#label .class-row .grid-container .thumbnail-lg { height: 68px; }
#label-downloads button, #label-downloads a { font-size: .95rem; padding: .45rem .8rem; }
#label-gallery .thumbnail-lg { aspect-ratio: 4 / 3 !important; height: auto !important; }
#label-gallery .grid-container { grid-template-rows: none !important; grid-auto-rows: max-content !important; }
#label-examples .thumbnail-lg { aspect-ratio: 8 / 5 !important; height: auto !important; }
#label-examples .grid-wrap { height: auto !important; min-height: 0 !important; }
#steps { opacity: .85; font-size: .9rem; }
#verdict { min-height: 2.6rem; }
#verdict .detected, #verdict .uncertain, #verdict .not-detected, #verdict .waiting {
  border-left: 4px solid; border-radius: 4px; padding: .45rem .8rem; font-size: 1.02rem;
}
#verdict .detected { border-color: #2ecc40; background: rgb(46 204 64 / .10); }
#verdict .detected.accepted { border-color: #78716c; background: rgb(120 113 108 / .14); }
#verdict .uncertain { border-color: #56b4e9; background: rgb(86 180 233 / .12); }
#verdict .not-detected { border-color: #78716c; background: rgb(120 113 108 / .14); }
#verdict .waiting { border-color: #a8a29e; background: rgb(168 162 158 / .12); }
#verdict .start, #compare-table .start { padding: 1.2rem 1.6rem; min-height: 15rem;
  background: var(--block-background-fill); border: 1px solid var(--block-border-color);
  border-radius: 10px; line-height: 1.9; }
#verdict .start ol, #compare-table .start ol { list-style: decimal; padding-left: 1.4rem; }
#verdict .scale {
  position: relative; height: .5rem; border-radius: 3px; flex: 1 1 auto; max-width: 30rem;
  background: linear-gradient(to right, #a8a29e var(--low), #56b4e9 var(--low) var(--high), #2ecc40 var(--high));
}
#verdict .scale-row { display: flex; align-items: center; gap: .5rem; margin-top: .3rem; padding-bottom: .8rem;
  font-size: .75rem; white-space: nowrap; }
#verdict .scale span { position: absolute; top: .65rem; transform: translateX(-50%); }
#verdict .scale i { position: absolute; left: var(--at); top: -.2rem; height: .9rem; border-left: 3px solid; }
#verdict .aside { opacity: .8; font-size: .9rem; }
.grid-wrap.fixed-height { max-height: none; } /* a gallery shows all of itself: the page scrolls, not a part of it */
:focus-visible { outline: 3px solid #d97706 !important; outline-offset: 2px; }
/* One column: the result comes before the examples; what runs can be stopped wherever the page is scrolled to. */
@media (max-width: 690px) { /* no comma inside of parentheses: Gradio divides selectors there */
  #segment:has(#result) > #segment-inputs { display: contents; }
  #segment:has(#result) > #segment-inputs > * { flex: 1 1 100%; min-width: 0; }
  #segment:has(#result) > #segment-inputs > #examples,
  #segment:has(#result) > #segment-inputs > #by-url { order: 2; }
  #segment:has(#result) > #segment-result { order: 1; }
  #segment:has(.run[data-elapsed]) > #segment-inputs { display: contents; }
  #segment:has(.run[data-elapsed]) > #segment-inputs > * { flex: 1 1 100%; min-width: 0; }
  #segment:has(.run[data-elapsed]) > #segment-inputs > #examples,
  #segment:has(.run[data-elapsed]) > #segment-inputs > #by-url { order: 2; }
  #segment:has(.run[data-elapsed]) > #segment-result { order: 1; }
  #numbered, #numbered .container, #numbered .image-container { height: auto !important; min-height: 0 !important; }
}
@media (max-width: 768px) {
  .run-row:has(> [data-elapsed]) { position: fixed; left: 0; right: 0; bottom: 0; z-index: 60; padding: .5rem 1rem;
    background: var(--body-background-fill); border-top: 1px solid var(--block-border-color); }
  .run-row:has(> [data-elapsed]) + * { margin-top: 54px; } /* its place stays, and what follows does not move */
  .run-row > .run { min-height: 42px; transition: none !important; }
}
@media (max-width: 640px) {
  .tab-wrapper { contain: inline-size; }
  .ablation .figures, .ablation .pairs { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .ablation .grid td { font-size: .85rem; }
  .ablation .numbers :is(th, td) { font-size: .85rem; padding-right: .6rem !important; }
  .ablation .grid tr > :first-child { width: 2.6rem; }
  #label-thresholds { flex-direction: column; }
  #label .class-row > :is([id^=label-class-], :has([id^=label-class-])) { flex: 1 1 110px !important;
    min-width: 110px !important; }
  #label .class-row > :is([id^=label-images-], :has([id^=label-images-])) { flex: 2 1 130px !important;
    min-width: 130px !important; }
  #label .class-row input { padding: .5rem .45rem; }
  #label-downloads { display: grid !important; grid-template-columns: 1fr 1fr; }
  #label-downloads > :is(#label-format, :has(#label-format)) { grid-column: 1 / -1; }
  #compare-table thead { display: none; }
  #compare-table tr { display: grid; grid-template-columns: 1fr 1fr; gap: 0 .8rem; padding: .35rem 0; }
  #compare-table td { padding: .1rem 0; }
  #compare-table td::before { content: attr(data-head) ": "; opacity: .75; }
  #compare-table td:is([colspan], [data-head=method], [data-head=image]) { grid-column: 1 / -1; }
  #compare-table td:is([colspan], [data-head=method])::before { content: none; }
  #compare-pair { flex-direction: column; }
  #label .class-row .block { padding: .45rem; }
  .grid-container, .gradio-container .examples .grid-container {
    grid-template-columns: repeat(2, minmax(0, 1fr)) !important; }
  #saliency .grid-container:has(> :only-child) { grid-template-columns: 1fr !important; }
  .cases .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important; }
  .image-input:not(.one, .files, .clip) .icon-button-wrapper { top: auto !important; bottom: .2rem; }
  #compare-table table td { font-size: .9rem; }
  #title { padding-right: 0; }
  #title h1 { font-size: 1.3rem; width: 100%; min-height: 2.3rem; }
  #engine > .column { flex: 0 1 auto !important; min-width: 0 !important; max-width: 55%; }
  #title p { font-size: .9rem; line-height: 1.35; }
  #engine { flex-wrap: nowrap; }
  #engine > #engine-state { flex: 1 1 60px !important; min-width: 0 !important; }
  #engine-state summary { font-size: .85rem; }
  #fetch { font-size: .8rem; padding: .3rem .4rem; }
  .tab-container button { padding: 0 .5rem !important; font-size: .85rem; }
  #view label, #background label { padding: .3rem .45rem; font-size: .85rem; }
  :is(#meant-paint, #compare-paint) [data-testid=block-label] svg { display: none; }
  :is(#meant-paint, #compare-paint) [data-testid=block-label] { font-size: .7rem; padding: .2rem .3rem; }
  #corrections::before { width: 100%; }
  #corrections > #hint { flex: 1 1 100% !important; order: -1; }
  #corrections { gap: .25rem; }
  #corrections #sign .wrap { gap: .2rem; }
  #corrections #sign label { padding: .3rem; font-size: .8rem; }
  #corrections > button { flex: 0 1 50px; min-width: 42px !important; padding: .3rem .2rem; font-size: .8rem; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""
