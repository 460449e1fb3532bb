//===- Log.cpp - Measurements on disk -------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One line of JSON for what is measured, or why it was not, written when it is
// known:
//
//   {"device": ..., "commit": ..., "target": ..., "driver": ...}
//   {"problem": "16 bit, ...", "schedule": "...", "failure": "the assembler
//   ..."}
//   {"problem": ..., "sizes": ..., "phase": 1, "times": [{"schedule": ...,
//   ...}]}
//
// A line without schedules says whose the ones after it are. A run that was
// interrupted may have left half a line at the end; it is not looked at.
//
//===----------------------------------------------------------------------===//

#include "TunerImpl.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace flash;
using namespace flash::tuner;
using llvm::StringRef;
using llvm::json::Object;
using rt::Status;

static std::string sessionName(StringRef problem, StringRef sizes,
                               int64_t phase) {
  return llvm::formatv("{0}|{1}|{2}", problem, sizes, phase);
}

static std::string failureName(StringRef problem, StringRef schedule) {
  return (problem + "|" + schedule).str();
}

Status Log::readLine(StringRef line, const Identity &identity) {
  auto bad = [&] {
    return Status::error("it is no measurement of flash-run --tune; remove "
                         "the file, or name another with --tune-log");
  };
  llvm::Expected<llvm::json::Value> value = llvm::json::parse(line);
  if (!value) {
    llvm::consumeError(value.takeError());
    return bad();
  }
  const Object *object = value->getAsObject();
  if (!object)
    return bad();
  if (object->get("device")) {
    auto is = [&](StringRef field, const std::string &expected) {
      return object->getString(field) == StringRef(expected);
    };
    current = is("target", identity.target) && is("device", identity.device) &&
              is("driver", identity.driver) && is("commit", identity.commit);
    return Status::success();
  }
  std::optional<StringRef> problem = object->getString("problem");
  if (!problem)
    return bad();
  if (std::optional<StringRef> failure = object->getString("failure")) {
    std::optional<StringRef> schedule = object->getString("schedule");
    if (!schedule)
      return bad();
    if (current)
      failures[failureName(*problem, *schedule)] = failure->str();
    return Status::success();
  }
  std::optional<StringRef> sizes = object->getString("sizes");
  std::optional<int64_t> phase = object->getInteger("phase");
  const llvm::json::Array *times = object->getArray("times");
  if (!sizes || !phase || !times)
    return bad();
  std::vector<Measurement> measurements;
  for (const llvm::json::Value &entry : *times) {
    const Object *time = entry.getAsObject();
    std::optional<StringRef> schedule =
        time ? time->getString("schedule") : std::nullopt;
    std::optional<double> milliseconds =
        time ? time->getNumber("ms") : std::nullopt;
    std::optional<int64_t> samples =
        time ? time->getInteger("samples") : std::nullopt;
    if (!schedule || !milliseconds || !samples || *milliseconds <= 0)
      return bad();
    measurements.push_back({schedule->str(), *milliseconds, int(*samples)});
  }
  if (current && sessions
                     .emplace(sessionName(*problem, *sizes, *phase),
                              std::move(measurements))
                     .second)
    ++numKnown;
  return Status::success();
}

Status Log::open(const std::string &name, const Identity &identity) {
  path = name;
  uint64_t complete = 0;
  bool cutOff = false;
  if (auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true)) {
    StringRef rest = (*buffer)->getBuffer();
    for (int number = 1; !rest.empty(); ++number) {
      auto [line, after] = rest.split('\n');
      cutOff = after.empty() && !rest.ends_with("\n");
      if (cutOff)
        break;
      if (!line.trim().empty())
        if (Status status = readLine(line, identity); status.failed())
          return status.withContext("log '" + path + "', line " +
                                    std::to_string(number));
      complete += line.size() + 1;
      rest = after;
    }
  } else if (llvm::sys::fs::exists(path)) {
    return Status::error("reading '" + path +
                         "': " + buffer.getError().message());
  }
  int descriptor;
  std::error_code error = llvm::sys::fs::openFileForWrite(
      path, descriptor, llvm::sys::fs::CD_OpenAlways, llvm::sys::fs::OF_Append);
  if (!error && cutOff)
    error = llvm::sys::fs::resize_file(descriptor, complete);
  if (error)
    return Status::error("writing '" + path + "': " + error.message());
  file =
      std::make_unique<llvm::raw_fd_ostream>(descriptor, /*shouldClose=*/true);
  return write(Object{{"target", identity.target},
                      {"device", identity.device},
                      {"driver", identity.driver},
                      {"commit", identity.commit}});
}

Status Log::write(Object record) {
  *file << llvm::json::Value(std::move(record)) << "\n";
  file->flush();
  if (!file->has_error())
    return Status::success();
  std::string message = file->error().message();
  file->clear_error();
  return Status::error("writing '" + path + "': " + message);
}

const std::vector<Measurement> *Log::findSession(const TuneProblem &problem,
                                                 const TuneCase &what,
                                                 int phase) const {
  auto found = sessions.find(sessionName(problem.title, what.sizes, phase));
  return found == sessions.end() ? nullptr : &found->second;
}

Status Log::addSession(const TuneProblem &problem, const TuneCase &what,
                       int phase, std::vector<Measurement> measurements) {
  llvm::json::Array times;
  for (const Measurement &m : measurements)
    times.push_back(Object{{"schedule", m.schedule},
                           {"ms", m.milliseconds},
                           {"samples", m.samples}});
  sessions[sessionName(problem.title, what.sizes, phase)] =
      std::move(measurements);
  return write(Object{{"problem", problem.title},
                      {"sizes", what.sizes},
                      {"phase", phase},
                      {"times", std::move(times)}});
}

const std::string *Log::findFailure(const TuneProblem &problem,
                                    const std::string &schedule) const {
  auto found = failures.find(failureName(problem.title, schedule));
  return found == failures.end() || found->second.empty() ? nullptr
                                                          : &found->second;
}

Status Log::addFailure(const TuneProblem &problem, const std::string &schedule,
                       const std::string &why) {
  failures[failureName(problem.title, schedule)] = why;
  return write(Object{
      {"problem", problem.title}, {"schedule", schedule}, {"failure", why}});
}
