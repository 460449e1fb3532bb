//===- Minimize.cpp - A small draw that fails in the same way -------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first simplification that still fails is taken, again and again, until
// none does. Each attempt is a process: what fails may crash.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "../flash-matrix/CaseRunner.h"

#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace flash;
using namespace flash::fuzz;

Outcome fuzz::runDraw(const Draw &draw, const FuzzOptions &options) {
  matrix::Kernel kernel = makeKernel(draw);
  matrix::MatrixOptions matrixOptions;
  matrixOptions.seed = draw.seed % 1000000;
  matrixOptions.io = options.io;
  matrixOptions.optLevel = options.optLevel;
  matrixOptions.target = options.target;
  matrix::CaseRunner runner(kernel, matrixOptions);
  Outcome outcome;
  if (rt::Status status = runner.compile(); status.failed()) {
    // A region may hold what has no derivative.
    if (kernel.hasGradients() &&
        llvm::StringRef(status.message()).contains("has no derivative"))
      return outcome;
    outcome.kind = "compile";
    outcome.message = status.message();
    return outcome;
  }
  if (options.compileOnly)
    return outcome;
  for (const matrix::Shape &shape : kernel.shapes) {
    matrix::CaseResult result = runner.run(shape);
    ++outcome.calls;
    outcome.part = std::max(outcome.part, result.part);
    if (!result.failure.empty()) {
      outcome.kind = "wrong";
      outcome.message =
          kernel.describe(shape).substr(1) + ": " + result.failure;
      return outcome;
    }
  }
  return outcome;
}

/// A line of a child: kind, part, calls, message.
static std::string encode(const Outcome &outcome) {
  return (outcome.kind.empty() ? "ok" : outcome.kind) + " " +
         std::to_string(outcome.part) + " " + std::to_string(outcome.calls) +
         " " + outcome.message;
}

static Outcome decode(llvm::StringRef text) {
  Outcome outcome;
  auto [kind, rest] = text.split(' ');
  auto [part, tail] = rest.split(' ');
  auto [calls, message] = tail.split(' ');
  outcome.kind = kind == "ok" ? "" : kind.str();
  part.getAsDouble(outcome.part);
  calls.getAsInteger(10, outcome.calls);
  outcome.message = message.str();
  return outcome;
}

Outcome fuzz::runApart(const Draw &draw, const FuzzOptions &options) {
  int ends[2];
  if (pipe(ends) != 0)
    return {"crash", "no pipe", 0, 0};
  llvm::outs().flush();
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    // What the handler of bad accesses prints goes to the parent too.
    dup2(ends[1], STDOUT_FILENO);
    std::string text = encode(runDraw(draw, options));
    bool written = write(ends[1], text.data(), text.size()) >= 0;
    _exit(written ? 0 : 2);
  }
  close(ends[1]);
  std::string text;
  auto begin = std::chrono::steady_clock::now();
  bool hangs = false;
  for (;;) {
    double passed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
            .count();
    if (passed > options.limit) {
      hangs = true;
      kill(child, SIGKILL);
      break;
    }
    pollfd poll{ends[0], POLLIN, 0};
    if (::poll(&poll, 1, 200) <= 0)
      continue;
    char buffer[4096];
    ssize_t count = read(ends[0], buffer, sizeof(buffer));
    if (count <= 0)
      break;
    text.append(buffer, size_t(count));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (hangs)
    return {"hang",
            "not done after " + std::to_string(int(options.limit)) + " s", 0,
            0};
  if (WIFSIGNALED(status))
    return {"crash", "signal " + std::to_string(WTERMSIG(status)), 0, 0};
  if (WEXITSTATUS(status) != 0)
    return {"crash",
            text.empty() ? "exit status " + std::to_string(WEXITSTATUS(status))
                         : llvm::StringRef(text).rtrim().str(),
            0, 0};
  return decode(text);
}

/// What has to stay the same: the kind, what the compiler complains about, and
/// whether a result is far off.
static std::string essence(const Outcome &outcome) {
  constexpr double kFarOff = 20;
  if (outcome.kind != "compile")
    return outcome.kind + (outcome.part > kFarOff ? " far off" : "");
  std::string text;
  for (char c : outcome.message)
    if (!llvm::isDigit(c))
      text += c;
  return text.substr(0, 60);
}

std::optional<Draw> fuzz::applySteps(Draw draw,
                                     const std::vector<int64_t> &steps) {
  for (int64_t step : steps) {
    std::vector<Draw> simpler = simplify(draw);
    if (step < 0 || step >= int64_t(simpler.size()))
      return std::nullopt;
    draw = std::move(simpler[step]);
  }
  return draw;
}

Minimized fuzz::minimize(const Draw &draw, const Outcome &outcome,
                         const FuzzOptions &options) {
  constexpr int kMostAttempts = 600;
  Minimized smallest{draw, outcome, {}};
  FuzzOptions attempt = options;
  attempt.limit = options.limit / 3; // what is smaller takes less
  int attempts = 0;
  for (bool found = true; found && attempts < kMostAttempts;) {
    found = false;
    std::vector<Draw> simpler = simplify(smallest.draw);
    for (size_t i = 0; i < simpler.size() && attempts < kMostAttempts; ++i) {
      if (!isLegal(simpler[i]))
        continue;
      ++attempts;
      Outcome now = runApart(simpler[i], attempt);
      if (essence(now) != essence(outcome))
        continue;
      smallest.draw = std::move(simpler[i]);
      smallest.outcome = now;
      smallest.steps.push_back(int64_t(i));
      found = true;
      break;
    }
  }
  return smallest;
}
