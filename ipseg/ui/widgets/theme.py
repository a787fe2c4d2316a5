"""The theme of the page: colours, fonts and CSS rules beyond Gradio's theme. No font is downloaded."""

from __future__ import annotations

import gradio as gr


def theme() -> gr.themes.Base:
    """Grey panels, amber primary buttons as the masks, system fonts."""
    return gr.themes.Soft(
        primary_hue=gr.themes.colors.amber,
        neutral_hue=gr.themes.colors.stone,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
    ).set(
        button_primary_background_fill="#b45309",
        button_primary_background_fill_hover="#92400e",
        button_primary_background_fill_dark="#b45309",
        button_primary_background_fill_hover_dark="#92400e",
        button_secondary_background_fill_hover_dark="*neutral_600",
        checkbox_label_background_fill_selected="#b45309",
        checkbox_label_background_fill_selected_dark="#b45309",
        checkbox_label_text_color_selected="#ffffff",
        checkbox_label_text_color_selected_dark="#ffffff",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_300",
        block_label_background_fill="*neutral_100",
        block_label_background_fill_dark="*neutral_800",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_background_fill="none",
        block_title_background_fill_dark="none",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_title_padding="0",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
    )


CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto; }
#title h1 { font-size: 2rem; margin: 0 0 .15rem; letter-spacing: -.02em; }
#title p { font-size: 1.05rem; }
#engine { align-items: center; gap: .8rem; flex-wrap: wrap; }
#engine > #engine-state { flex: 1 1 300px !important; }
#engine > .column { flex: 0 1 200px !important; min-width: 160px !important; }
.tab-container button.selected { color: #b45309; }
.dark .tab-container button.selected { color: #fbbf24; }
.sidebar:not(.open) .sidebar-content { visibility: hidden; transition: visibility .3s; }
.sidebar:not(.open) .toggle-button { width: auto; gap: .3rem; padding: 0 .7rem; }
.sidebar:not(.open) .toggle-button::after { content: "Settings"; font-size: .9rem; transform: rotate(180deg); }
#engine-state .state { border-left: 4px solid #a8a29e; padding: .1rem .8rem; font-size: .95rem; }
#engine-state .missing { border-color: #d97706; }
#engine-state .aside { opacity: .75; font-size: .85rem; }
#engine-state progress { appearance: none; width: 100%; height: .7rem; border: 0; border-radius: 4px; overflow: hidden;
  background: rgb(168 162 158 / .3); }
#engine-state progress::-webkit-progress-bar { background: rgb(168 162 158 / .3); }
#engine-state progress::-webkit-progress-value { background: #d97706; transition: width .25s; }
#engine-state progress::-moz-progress-bar { background: #d97706; }
#prompts .thumbnail-lg, #images .thumbnail-lg, #saliency .thumbnail-lg { height: 210px; aspect-ratio: auto; }
#saliency .thumbnail-lg { height: 165px; }
#negative_prompt .thumbnail-lg { height: 115px; aspect-ratio: auto; }
#marked img { cursor: crosshair; }
#prompts img, #images img, #negative_prompt img, #answers img, #saliency img { object-fit: contain !important; }
#compare-table table { width: 100%; border-collapse: collapse; }
#compare-table th, #compare-table td {
  padding: .3rem .6rem; text-align: left; border-bottom: 1px solid rgb(168 162 158 / .35);
}
#compare-table td:nth-last-child(-n+3) { font-variant-numeric: tabular-nums; }
#compare-table .wide { contain: inline-size; overflow-x: auto; }
#compare-table .swatch { display: inline-block; width: .8em; height: .8em; margin-right: .45em; border-radius: 2px; }
#compare-table .aside { opacity: .8; font-size: .9rem; }
#compare-table .waiting { border-left: 4px solid #a8a29e; border-radius: 4px; padding: .45rem .8rem;
  background: rgb(168 162 158 / .12); }
#sets-verdict .waiting, #case-verdict .waiting {
  border-left: 4px solid #d97706; padding: .45rem .8rem; margin-bottom: .6rem;
}
#sets-verdict .wide { contain: inline-size; overflow-x: auto; }
#sets-verdict .side { display: flex; flex-wrap: wrap; gap: 1.5rem; }
#sets-verdict table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
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
.ablation .numbers tbody tr { border-top: 1px solid rgb(168 162 158 / .35) !important; }
.ablation .numbers th, .ablation .numbers td { padding: .25rem 1.2rem .25rem 0 !important; text-align: left; }
.ablation .figures { display: grid; gap: .8rem; margin: .6rem 0;
  grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); }
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
.ablation .grid .none { vertical-align: middle; opacity: .6; }
#batch-status .detected, #batch-status .uncertain, #batch-status .not-detected, #batch-status .stopped,
#batch-status .waiting {
  border-left: 4px solid #a8a29e; border-radius: 4px; padding: .45rem .8rem; background: rgb(168 162 158 / .12);
}
#batch-status { min-height: 2.6rem; }
#batch-status .detected { border-color: #2ecc40; background: rgb(46 204 64 / .10); }
#batch-status .uncertain { border-color: #56b4e9; background: rgb(86 180 233 / .12); }
#batch-status .not-detected, #batch-status .stopped { border-color: #eb333d; background: rgb(235 51 61 / .10); }
#batch-status progress { width: 100%; height: .7rem; accent-color: #d97706; }
#batch-status .aside { opacity: .8; font-size: .9rem; }
#batch-prompts .thumbnail-lg { height: 170px; aspect-ratio: auto; }
#batch-prompts img { object-fit: contain !important; }
.progress-text.meta-text, .progress-text.meta-text-center {
  font: 600 .95rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums;
  background: rgb(168 162 158 / .25); border-radius: 4px; padding: .1rem .6rem;
}
#batch-status:has(.meta-text) .waiting { visibility: hidden; }
#steps { opacity: .85; font-size: .9rem; }
#verdict { min-height: 2.6rem; }
#verdict .detected, #verdict .uncertain, #verdict .not-detected, #verdict .waiting {
  border-left: 4px solid; border-radius: 4px; padding: .45rem .8rem; font-size: 1.02rem;
}
#verdict .detected { border-color: #2ecc40; background: rgb(46 204 64 / .10); }
#verdict .uncertain { border-color: #56b4e9; background: rgb(86 180 233 / .12); }
#verdict .not-detected { border-color: #eb333d; background: rgb(235 51 61 / .10); }
#verdict .waiting { border-color: #a8a29e; background: rgb(168 162 158 / .12); }
#verdict .scale {
  position: relative; height: .5rem; margin: .45rem 0 .15rem; border-radius: 3px; max-width: 30rem;
  background: linear-gradient(to right, #eb333d var(--low), #56b4e9 var(--low) var(--high), #2ecc40 var(--high));
}
#verdict .scale i { position: absolute; left: var(--at); top: -.2rem; height: .9rem; border-left: 3px solid; }
#verdict .aside { opacity: .8; font-size: .9rem; }
.grid-wrap.fixed-height { max-height: none; } /* a gallery shows all of itself: the page scrolls, not a part of it */
:focus-visible { outline: 3px solid #d97706 !important; outline-offset: 2px; }
@media (max-width: 640px) {
  .tab-wrapper { contain: inline-size; }
  .ablation .figures, .ablation .pairs { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .ablation .grid td { font-size: .85rem; }
  .ablation .grid tr > :first-child { width: 2.6rem; }
  .grid-container { grid-template-columns: repeat(2, minmax(0, 1fr)) !important; }
  #title h1 { font-size: 1.6rem; }
  .gradio-container { padding-left: .6rem !important; padding-right: .6rem !important; }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
"""
