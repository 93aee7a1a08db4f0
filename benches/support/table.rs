//! A table a reader understands without the source: what, the figure, the bar, and whether it holds.

#![allow(dead_code, clippy::print_stdout, reason = "a bench prints; not every one uses everything")]

use std::fmt::Display;

/// Prints its rows as they come and remembers whether a bar was missed.
pub struct Table {
    missed: usize,
}

impl Table {
    pub fn new(title: &str) -> Self {
        println!("\n{title}");
        println!("  {:<70} {:>14}   {:<12}", "what", "figure", "bar");
        Self { missed: 0 }
    }

    /// A figure that must not pass its bar.
    pub fn at_most(&mut self, what: &str, figure: f64, most: f64, unit: &str) {
        let holds = figure <= most;
        self.missed += usize::from(!holds);
        let verdict = if holds { "" } else { "   MISSED" };
        println!("  {what:<70} {:>14}   <= {most} {unit}{verdict}", with_unit(figure, unit));
    }

    /// A figure that must reach its bar.
    pub fn at_least(&mut self, what: &str, figure: f64, least: f64, unit: &str) {
        let holds = figure >= least;
        self.missed += usize::from(!holds);
        let verdict = if holds { "" } else { "   MISSED" };
        println!("  {what:<70} {:>14}   >= {least} {unit}{verdict}", with_unit(figure, unit));
    }

    /// A figure without a bar.
    pub fn says(&self, what: &str, figure: impl Display) {
        println!("  {what:<70} {figure:>14}   none");
    }

    /// How many bars were missed.
    pub fn missed(&self) -> usize {
        self.missed
    }
}

fn with_unit(figure: f64, unit: &str) -> String {
    let digits = match figure.abs() {
        whole if figure.fract() == 0.0 && whole < 1e15 => 0,
        large if large >= 100.0 => 1,
        _ => 3,
    };
    format!("{figure:.digits$} {unit}")
}
